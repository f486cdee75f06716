package hal

// appendTemplates appends _templates (HAL-FORMS, section 4), nothing for an empty list. A
// single template is the default one, whatever its key: some clients look for no other.
func appendTemplates(dst []byte, templates []Template, f *format) []byte {
	if len(templates) == 0 {
		return dst
	}
	dst = append(appendKey(dst, "_templates"), '{')
	for i := range templates {
		t := &templates[i]
		key := t.Key
		if key == "" || len(templates) == 1 {
			key = "default"
		}
		dst = append(appendKey(dst, key), '{')
		dst = appendTemplate(dst, t, f)
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

// appendTemplate appends the members of a template. An empty list of properties is
// written too: clients iterate over it without a check.
func appendTemplate(dst []byte, t *Template, f *format) []byte {
	dst = appendOptional(dst, "title", t.Title)
	method := t.Method
	if method == "" {
		method = "GET" // HAL-FORMS' default; the strict schema requires the member
	}
	dst = appendMember(dst, "method", method)
	if t.Target != "" {
		dst = appendHref(appendKey(dst, "target"), t.Target, f)
	}
	dst = appendOptional(dst, "contentType", t.ContentType)
	dst = append(appendKey(dst, "properties"), '[')
	for i := range t.Properties {
		dst = append(appendComma(dst), '{')
		dst = appendTemplateProperty(dst, &t.Properties[i], f)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func appendTemplateProperty(dst []byte, p *TemplateProperty, f *format) []byte {
	dst = appendMember(dst, "name", p.Name)
	dst = appendOptional(dst, "prompt", p.Prompt)
	dst = appendOptional(dst, "type", p.Type)
	dst = appendFlag(dst, "required", p.Required)
	dst = appendFlag(dst, "readOnly", p.ReadOnly)
	// HAL-FORMS values are strings, and clients treat any non-empty one as checked
	// (ketting evaluates !!value): an unchecked checkbox has no value.
	if p.Type != "checkbox" || p.Value != "false" {
		dst = appendOptional(dst, "value", p.Value)
	}
	dst = appendOptional(dst, "placeholder", p.Placeholder)
	dst = appendOptional(dst, "regex", p.Regex)
	dst = appendBound(dst, "min", p.Min, f)
	dst = appendBound(dst, "max", p.Max, f)
	dst = appendLength(dst, "minLength", p.MinLength, f)
	dst = appendLength(dst, "maxLength", p.MaxLength, f)
	if len(p.Options) > 0 || p.OptionsLink.Href != "" {
		dst = append(appendKey(dst, "options"), '{')
		dst = appendOptions(dst, p, f)
		dst = append(dst, '}')
	}
	return dst
}

// appendOptions appends the options. Without maxItems a client may send any number of
// them, so it is 1 for every property that is not Multiple.
func appendOptions(dst []byte, p *TemplateProperty, f *format) []byte {
	if len(p.Options) > 0 {
		dst = append(appendKey(dst, "inline"), '[')
		for i := range p.Options {
			o := &p.Options[i]
			prompt := o.Prompt
			if prompt == "" {
				prompt = o.Value
			}
			dst = appendMember(append(appendComma(dst), '{'), "prompt", prompt)
			dst = appendMember(dst, "value", o.Value)
			if o.For != "" {
				dst = appendMember(dst, "for", o.For)
			}
			dst = append(dst, '}')
		}
		dst = append(dst, ']')
	} else {
		dst = appendLink(appendKey(dst, "link"), &p.OptionsLink, f)
		dst = appendOptional(dst, "promptField", p.PromptField)
		dst = appendOptional(dst, "valueField", p.ValueField)
	}
	if !p.Multiple {
		dst = append(appendComma(dst), `"maxItems":1`...)
	}
	if p.Required {
		dst = append(appendComma(dst), `"minItems":1`...)
	}
	selected := p.Selected
	if len(selected) == 0 && p.Value != "" {
		selected = []string{p.Value} // beside value: some clients read the one, some the other
	}
	if len(selected) == 0 {
		return dst
	}
	dst = append(appendKey(dst, "selectedValues"), '[')
	for _, v := range selected {
		dst = AppendString(appendComma(dst), v)
	}
	return append(dst, ']')
}

// appendFlag appends a member that defaults to false.
func appendFlag(dst []byte, key string, on bool) []byte {
	if !on {
		return dst
	}
	return append(appendKey(dst, key), "true"...)
}

// appendBound appends a limit as the number that HAL-FORMS requires, or as a string for
// dates and times; nothing for "".
func appendBound(dst []byte, key, text string, f *format) []byte {
	if text == "" {
		return dst
	}
	v := Decimal(text)
	return appendValue(appendKey(dst, key), &v, f)
}

// appendLength appends a length in characters; nothing for 0.
func appendLength(dst []byte, key string, n int, f *format) []byte {
	if n <= 0 {
		return dst
	}
	v := Int(int64(n))
	return appendValue(appendKey(dst, key), &v, f)
}
