package hal

// ProblemContentType is the media type of a Problem to HAL clients (RFC 9457).
const ProblemContentType = "application/problem+json"

// Problem is an error response: an RFC 9457 problem document with the members of
// CloudBolt's errors as extensions, or a CloudBolt error alone.
type Problem struct {
	Type     string // URI reference of the type's documentation; "" is about:blank and left out
	Title    string // summary of the type, the same for each occurrence
	Status   int    // HTTP status code
	Detail   string // explanation of this occurrence
	Instance string // URI reference of this occurrence
	Errors   []FieldError
	Error    string // short text of the CloudBolt error; "" is Title, or Detail without one
}

// FieldError is the error of one field of a request.
type FieldError struct {
	Pointer string // JSON pointer (RFC 6901) into the body, "/items/0/quantity", or the name of a query parameter
	Reason  string
}

// ContentType returns the media type of the problem in the shape.
func (p *Problem) ContentType(shape Shape) string {
	if shape == CloudBolt {
		return AsCloudBolt.ContentType()
	}
	return ProblemContentType
}

// AppendJSON appends p as one compact JSON object and returns the extended slice: type,
// title, status, detail, instance, errors, status_code, error in the HAL shapes;
// status_code, detail, error in the CloudBolt shape, following its documentation. Those
// three are always written.
func (p *Problem) AppendJSON(dst []byte, shape Shape) []byte {
	short := p.Error
	if short == "" {
		short = p.Title
	}
	if short == "" {
		short = p.Detail
	}
	status := Int(int64(p.Status))
	f := format{shape: shape}
	dst = append(dst, '{')
	if shape == CloudBolt {
		dst = appendValue(appendKey(dst, "status_code"), &status, &f)
		dst = appendMember(dst, "detail", p.Detail)
		return append(appendMember(dst, "error", short), '}')
	}
	dst = appendOptional(dst, "type", p.Type)
	dst = appendOptional(dst, "title", p.Title)
	dst = appendValue(appendKey(dst, "status"), &status, &f)
	dst = appendMember(dst, "detail", p.Detail)
	dst = appendOptional(dst, "instance", p.Instance)
	if len(p.Errors) > 0 {
		dst = append(appendKey(dst, "errors"), '[')
		for i := range p.Errors {
			dst = appendMember(append(appendComma(dst), '{'), "pointer", p.Errors[i].Pointer)
			dst = append(appendMember(dst, "reason", p.Errors[i].Reason), '}')
		}
		dst = append(dst, ']')
	}
	dst = appendValue(appendKey(dst, "status_code"), &status, &f)
	return append(appendMember(dst, "error", short), '}')
}
