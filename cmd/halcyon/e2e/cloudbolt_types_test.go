package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// This file holds the documents of the CloudBolt shape against the types with which
// CloudBolt's Go SDK decodes them. A reader of Go that meets another type leaves the member
// empty and says nothing, so every answer of the suite is checked.

type (
	sdkLink struct {
		Href, Title string
	}
	sdkCollection struct {
		Links struct {
			Self, Next, Previous sdkLink
		} `json:"_links" sdk:"required"`
		Total    int         `sdk:"required"`
		Count    int         `sdk:"required"`
		Embedded []sdkObject `json:"_embedded" sdk:"required"`
	}
	sdkObject struct {
		Links struct {
			Self sdkLink `sdk:"required"`
		} `json:"_links" sdk:"required"`
		ID, Name string
	}
	sdkArguments struct {
		Attributes struct {
			Hostname string
			Quantity int
		} `sdk:"required"`
		Environment string
		OSBuild     string            `json:"os-build"`
		Parameters  map[string]string `sdk:"required"`
	}
	sdkOrder struct {
		Links struct {
			Self, Group, Owner, Recipient sdkLink
			ApprovedBy                    sdkLink   `json:"approved-by"`
			Jobs                          []sdkLink `sdk:"required"`
			Actions                       []map[string]sdkLink
		} `json:"_links" sdk:"required"`
		Name, ID, Status, Rate, Summary string
		CreateDate                      string `json:"create-date"`
		ApproveDate                     string `json:"approve-date"`
		Items                           struct {
			Deploy []struct {
				Blueprint          string
				Arguments          map[string]sdkArguments `json:"blueprint-items-arguments" sdk:"required"`
				ResourceName       string                  `json:"resource-name" sdk:"required"`
				ResourceParameters map[string]string       `json:"resource-parameters" sdk:"required"`
			} `json:"deploy-items"`
			Prov []struct {
				Attributes struct {
					Hostname string
					Quantity int
				}
				Environment string
				OSBuild     string `json:"os-build"`
				Parameters  map[string]string
			} `json:"prov-items"`
			Mod []struct {
				Server, Environment string
				Parameters, Delta   map[string]string
			} `json:"mod-items"`
			Decom []struct {
				Environment       string
				Servers, Services []sdkLink
			} `json:"decom-items"`
		} `sdk:"required"`
	}
	sdkJob struct {
		Links struct {
			Self, Owner, Parent, Prerequisite, Order, Resource sdkLink
			Subjobs                                            []sdkLink `sdk:"required"`
			DependentJobs                                      []sdkLink `json:"dependent-jobs" sdk:"required"`
			Servers                                            []sdkLink `sdk:"required"`
			LogURLs                                            struct {
				Raw string `json:"raw-log" sdk:"required"`
				Zip string `json:"zip-log" sdk:"required"`
			} `json:"log_urls" sdk:"required"`
		} `json:"_links" sdk:"required"`
		Status, Type string
		Progress     struct {
			Total     int      `json:"total-tasks" sdk:"required"`
			Completed int      `sdk:"required"`
			Messages  []string `sdk:"required"`
		} `sdk:"required"`
		StartDate string `json:"start-date"`
		EndDate   string `json:"end-date"`
		Output    string
	}
	sdkServer struct {
		Links struct {
			Self, Owner, Group, Environment sdkLink
			Handler                         sdkLink `json:"resource-handler"`
			ProvisionJob                    sdkLink `json:"provision-job"`
			OSBuild                         sdkLink `json:"os-build"`
			Jobs, History                   sdkLink
			Actions                         []map[string]sdkLink `sdk:"required"`
		} `json:"_links" sdk:"required"`
		Hostname, Status, IP, MAC, Notes, ID string
		PowerStatus                          string `json:"power-status" sdk:"required"`
		Added                                string `json:"date-added-to-cloudbolt" sdk:"required"`
		CPUs                                 int    `json:"cpu-cnt" sdk:"required"`
		Memory                               string `json:"mem-size" sdk:"required"`
		Disk                                 string `json:"disk-size" sdk:"required"`
		OSFamily                             string `json:"os-family" sdk:"required"`
		Labels                               []string
		Credentials                          struct{ Username, Password, Key string }
		Disks                                []struct {
			UUID, Name, Datastore string
			Size                  int    `json:"disk-size" sdk:"required"`
			Provisioning          string `json:"provisioning-type" sdk:"required"`
		} `sdk:"required"`
		Networks []struct {
			Name, Network, MAC, IP string
			PrivateIP              string `json:"private-ip" sdk:"required"`
			AdditionalIPs          string `json:"additional-ips" sdk:"required"`
		} `sdk:"required"`
		Parameters    map[string]string `sdk:"required"`
		RateBreakdown map[string]string `json:"rate-breakdown" sdk:"required"`
		Details       struct {
			LinkedClone bool   `json:"vmware-linked-clone"`
			Cluster     string `json:"vmware-cluster"`
		} `json:"tech-specific-details" sdk:"required"`
	}
	sdkResource struct {
		Links struct {
			Self, Blueprint, Owner, Group, Jobs, History sdkLink
			Type                                         sdkLink `json:"resource-type"`
			Servers                                      []struct {
				Href, Title, Tier string
			} `sdk:"required"`
			Actions []map[string]sdkLink `sdk:"required"`
		} `json:"_links" sdk:"required"`
		Name, ID, Status string
		InstallDate      string `json:"install-date"`
	}
	sdkGroup struct {
		Links struct {
			Self, Parent sdkLink
			Subgroups    []sdkLink `sdk:"required"`
			Environments []sdkLink `sdk:"required"`
			Orderable    sdkLink   `json:"orderable-environments" sdk:"required"`
		} `json:"_links" sdk:"required"`
		Name, ID, Type, Rate string
		AutoApproval         bool `json:"auto-approval" sdk:"required"`
	}
	sdkBlueprint struct {
		Links struct {
			Self sdkLink
		} `json:"_links" sdk:"required"`
		Name, ID    string
		IsOrderable bool `json:"is-orderable" sdk:"required"`
		BuildItems  []struct {
			Name, Type string
		} `json:"build-items" sdk:"required"`
	}
	sdkAction struct {
		Job struct{ Self sdkLink } `json:"run-action-job" sdk:"required"`
	}
)

// sdkTypes are the types of the documents, by the paths of their self links. A page of a
// collection is a sdkCollection.
var sdkTypes = []struct {
	path *regexp.Regexp
	of   any
}{
	{regexp.MustCompile(`^/api/v2/orders/\d+$`), sdkOrder{}},
	{regexp.MustCompile(`^/api/v2/jobs/\d+$`), sdkJob{}},
	{regexp.MustCompile(`^/api/v2/servers/\d+/$`), sdkServer{}},
	{regexp.MustCompile(`^/api/v2/(services/\d+|resources/[^/]+/\d+/)$`), sdkResource{}},
	{regexp.MustCompile(`^/api/v2/groups/\d+$`), sdkGroup{}},
	{regexp.MustCompile(`^/api/v2/blueprints/\d+$`), sdkBlueprint{}},
	{regexp.MustCompile(`^/api/v2/(users|environments|os-builds|resource-handlers|applications|rules|actions)/\d+$`), sdkObject{}},
}

// sdkReads returns an error if the SDK's types do not decode a document of the CloudBolt
// shape, or miss a member. Documents that the SDK does not read are right.
func sdkReads(body []byte) error {
	var doc struct {
		Links struct{ Self sdkLink } `json:"_links"`
		Total *int
		Job   json.RawMessage `json:"run-action-job"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil //nolint:nilerr // not an object with links, which other checks are about
	}
	path, _, _ := strings.Cut(doc.Links.Self.Href, "?")
	switch {
	case doc.Job != nil:
		return decodes(body, reflect.TypeFor[sdkAction]())
	case doc.Total != nil && bytes.Contains(body, []byte(`"_embedded":[`)):
		return decodes(body, reflect.TypeFor[sdkCollection]())
	}
	for _, x := range sdkTypes {
		if x.path.MatchString(path) {
			return decodes(body, reflect.TypeOf(x.of))
		}
	}
	return nil
}

// decodes returns an error if the document has another type somewhere, or no member of a
// field that is required.
func decodes(body []byte, t reflect.Type) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	if err := dec.Decode(reflect.New(t).Interface()); err != nil && err != io.EOF {
		return fmt.Errorf("CloudBolt's SDK: %w", err)
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return err
	}
	return complete(v, t, "")
}

func complete(v any, t reflect.Type, at string) error {
	switch t.Kind() { //nolint:exhaustive // the others have no members
	case reflect.Slice:
		list, _ := v.([]any)
		for i, x := range list {
			if err := complete(x, t.Elem(), fmt.Sprintf("%s/%d", at, i)); err != nil {
				return err
			}
		}
	case reflect.Map:
		members, _ := v.(map[string]any)
		for k, x := range members {
			if err := complete(x, t.Elem(), at+"/"+k); err != nil {
				return err
			}
		}
	case reflect.Struct:
		members, _ := v.(map[string]any)
		for i := range t.NumField() {
			f := t.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "" {
				name = strings.ToLower(f.Name)
			}
			x, has := members[name]
			if f.Tag.Get("sdk") == "required" && (!has || x == nil) {
				return fmt.Errorf("CloudBolt's SDK: %s/%s is missing", at, name)
			}
			if err := complete(x, f.Type, at+"/"+name); has && err != nil {
				return err
			}
		}
	}
	return nil
}

func TestSDKTypes(t *testing.T) {
	t.Parallel()
	const job = `{"_links":{"self":{"href":"/api/v2/jobs/1"},"subjobs":[],"dependent-jobs":[],"servers":[],"log_urls":{"raw-log":"/r","zip-log":"/z"}},"progress":{"total-tasks":1,"completed":1,"messages":[]},"start-date":null}`
	for body, want := range map[string]string{
		job: "",
		strings.Replace(job, `"raw-log":"/r"`, `"raw-log":{"href":"/r"}`, 1):                                  "raw-log",
		strings.Replace(job, `"subjobs":[],`, "", 1):                                                          "/_links/subjobs is missing",
		strings.Replace(job, `"messages":[]`, `"messages":null`, 1):                                           "messages is missing",
		`{"_links":{"self":{"href":"/api/v2/jobs/?page=1"}},"total":1,"count":1,"_embedded":[{"_links":{}}]}`: "/_embedded/0/_links/self is missing",
		`{"_links":{"self":{"href":"/api/v2/groups/2"}},"total":0}`:                                           "subgroups is missing",
		`{"_links":{"self":{"href":"/api/v2/events/1"}},"id":1}`:                                              "",
		`{"run-action-job":{"self":{"href":1}}}`:                                                              "Href",
	} {
		err := sdkReads([]byte(body))
		if got := fmt.Sprint(err); want == "" && err != nil || want != "" && !strings.Contains(got, want) {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
}
