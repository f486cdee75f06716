package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"halcyon/models"
	"halcyon/pkg/demo"
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
	sdkDeployItem struct {
		Blueprint          string                  `sdk:"required"`
		Arguments          map[string]sdkArguments `json:"blueprint-items-arguments" sdk:"required"`
		ResourceName       string                  `json:"resource-name" sdk:"required"`
		ResourceParameters map[string]string       `json:"resource-parameters" sdk:"required"`
	}
	sdkProvItem struct {
		Attributes struct {
			Hostname string
			Quantity int
		} `sdk:"required"`
		Environment       string
		OSBuild           string            `json:"os-build"`
		Parameters        map[string]string `sdk:"required"`
		Preconfigurations []string          `sdk:"required"`
		Applications      []string          `sdk:"required"`
	}
	sdkModItem struct {
		Server, Environment string
		DiskUUID            string            `json:"disk-uuid"`
		Parameters          map[string]string `sdk:"required"`
		Delta               map[string]string `sdk:"required"`
	}
	sdkDecomItem struct {
		Environment       string
		Servers, Services []sdkLink
	}
	sdkItems struct {
		Deploy []sdkDeployItem `json:"deploy-items"`
		Prov   []sdkProvItem   `json:"prov-items"`
		Mod    []sdkModItem    `json:"mod-items"`
		Decom  []sdkDecomItem  `json:"decom-items"`
	}
	sdkSample struct {
		Body struct {
			Group     string   `sdk:"required"`
			Items     sdkItems `sdk:"required"`
			SubmitNow string   `json:"submit-now" sdk:"required"`
		} `sdk:"required"`
	}
	sdkOrder struct {
		Links struct {
			Self, Group, Owner, Recipient sdkLink
			ApprovedBy                    sdkLink   `json:"approved-by"`
			Jobs                          []sdkLink `sdk:"required"`
			Actions                       []map[string]sdkLink
		} `json:"_links" sdk:"required"`
		Name, ID, Status, Rate, Summary string
		CreateDate                      string   `json:"create-date"`
		ApproveDate                     string   `json:"approve-date"`
		Items                           sdkItems `sdk:"required"`
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
		Inputs []sdkInput `sdk:"required"`
	}
	sdkInput struct {
		Name, Type, Label, Default string
		Required                   bool `sdk:"required"`
		Options                    []string
	}
	sdkEnvironment struct {
		Links struct {
			Self     sdkLink
			Handler  sdkLink   `json:"resource-handler"`
			OSBuilds []sdkLink `json:"os-builds" sdk:"required"`
		} `json:"_links" sdk:"required"`
		ID, Name, Description string
		AutoApproval          bool       `json:"auto_approval" sdk:"required"`
		Parameters            []sdkInput `sdk:"required"`
	}
	sdkUser struct {
		Links struct {
			Self      sdkLink
			Groups    []sdkLink `sdk:"required"`
			Orderable sdkLink   `json:"orderable-groups"`
		} `json:"_links" sdk:"required"`
		ID, Username, Email string
		FirstName           string `json:"first-name" sdk:"required"`
		LastName            string `json:"last-name" sdk:"required"`
		Superuser           bool   `json:"is-superuser" sdk:"required"`
	}
	sdkUsers struct {
		Embedded []struct {
			ID        string `sdk:"required"`
			Username  string `json:"user.username" sdk:"required"`
			FirstName string `json:"user.first-name" sdk:"required"`
			LastName  string `json:"user.last-name" sdk:"required"`
			Superuser bool   `json:"user.is-superuser" sdk:"required"`
		} `json:"_embedded" sdk:"required"`
	}
	sdkServers struct {
		Embedded []struct {
			ID       string `sdk:"required"`
			Hostname string `sdk:"required"`
		} `json:"_embedded" sdk:"required"`
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
	{regexp.MustCompile(`^/api/v2/orders/\d+/deploy-items/\d+$`), sdkDeployItem{}},
	{regexp.MustCompile(`^/api/v2/orders/\d+/prov-items/\d+$`), sdkProvItem{}},
	{regexp.MustCompile(`^/api/v2/orders/\d+/mod-items/\d+$`), sdkModItem{}},
	{regexp.MustCompile(`^/api/v2/orders/\d+/decom-items/\d+$`), sdkDecomItem{}},
	{regexp.MustCompile(`^/api/v2/blueprints/\d+/sample-order$`), sdkSample{}},
	{regexp.MustCompile(`^/api/v2/jobs/\d+$`), sdkJob{}},
	{regexp.MustCompile(`^/api/v2/servers/\d+/$`), sdkServer{}},
	{regexp.MustCompile(`^/api/v2/(services/\d+|resources/[^/]+/\d+/)$`), sdkResource{}},
	{regexp.MustCompile(`^/api/v2/groups/\d+$`), sdkGroup{}},
	{regexp.MustCompile(`^/api/v2/blueprints/\d+$`), sdkBlueprint{}},
	{regexp.MustCompile(`^/api/v2/users/\d+$`), sdkUser{}},
	{regexp.MustCompile(`^/api/v2/environments/\d+$`), sdkEnvironment{}},
	{regexp.MustCompile(`^/api/v2/users/$`), sdkUsers{}},
	{regexp.MustCompile(`^/api/v2/servers/$`), sdkServers{}},
	{regexp.MustCompile(`^/api/v2/(os-builds|resource-handlers|applications|rules|actions|server-actions|service-actions|orchestration-actions)/\d+$`), sdkObject{}},
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
		if err := decodes(body, reflect.TypeFor[sdkCollection]()); err != nil {
			return err
		}
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

// TestSDKDecodesEveryDocument reads every collection and every item in the CloudBolt shape,
// as each of the demo's users. The harness holds each answer against the SDK's types.
func TestSDKDecodesEveryDocument(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) string) {
		c := lively(t, open(t))
		read := map[string]int{} // by place in sdkTypes
		get := func(actor, path string) *answer {
			t.Helper()
			a, err := c.do(call{actor: actor, path: path, accept: "application/json"})
			if err != nil {
				t.Error(err)
			}
			if a == nil || a.status != http.StatusOK {
				t.Fatalf("%s: %s: %+v", actor, path, a)
			}
			self, _, _ := strings.Cut(a.text(t, "/_links/self/href"), "?")
			for _, x := range sdkTypes {
				if x.path.MatchString(self) {
					read[reflect.TypeOf(x.of).Name()]++
				}
			}
			return a
		}
		selves := func(a *answer) []string { return strings.Fields(a.text(t, "/_embedded/*/_links/self/href")) }
		for _, u := range demo.Users {
			get(u.Name, "/api/v2/")
			for _, d := range c.app.Face.Declarations() {
				if c.ask(t, call{actor: u.Name, path: d.Path(), accept: "application/json"}).status == http.StatusNotFound {
					continue
				}
				for _, href := range selves(get(u.Name, d.Path()+"?page_size=100")) {
					a := get(u.Name, href)
					switch d.Plural {
					case "orders":
						for _, kind := range models.ItemKinds {
							for _, item := range selves(get(u.Name, href+"/"+string(kind)+"-items/")) {
								get(u.Name, item)
							}
						}
					case "blueprints":
						if sample := a.text(t, "/_links/sample-order/href"); sample != "" {
							get(u.Name, sample)
						}
					}
				}
			}
		}
		for _, x := range sdkTypes {
			if name := reflect.TypeOf(x.of).Name(); read[name] == 0 {
				t.Errorf("nothing was decoded as %s", name)
			}
		}
		t.Logf("%v", read)
	})
}

func TestSDKTypes(t *testing.T) {
	t.Parallel()
	const job = `{"_links":{"self":{"href":"/api/v2/jobs/1"},"subjobs":[],"dependent-jobs":[],"servers":[],"log_urls":{"raw-log":"/r","zip-log":"/z"}},"progress":{"total-tasks":1,"completed":1,"messages":[]},"start-date":null}`
	for body, want := range map[string]string{
		job: "",
		strings.Replace(job, `"raw-log":"/r"`, `"raw-log":{"href":"/r"}`, 1):                                                                "raw-log",
		strings.Replace(job, `"subjobs":[],`, "", 1):                                                                                        "/_links/subjobs is missing",
		strings.Replace(job, `"messages":[]`, `"messages":null`, 1):                                                                         "messages is missing",
		`{"_links":{"self":{"href":"/api/v2/jobs/?page=1"}},"total":1,"count":1,"_embedded":[{"_links":{}}]}`:                               "/_embedded/0/_links/self is missing",
		`{"_links":{"self":{"href":"/api/v2/groups/2"}},"total":0}`:                                                                         "subgroups is missing",
		`{"_links":{"self":{"href":"/api/v2/users/?page=1"}},"total":1,"count":1,"_embedded":[{"_links":{"self":{}},"id":"1"}]}`:            "/_embedded/0/user.username is missing",
		`{"_links":{"self":{"href":"/api/v2/orders/1/deploy-items/1"}},"blueprint":"/b","blueprint-items-arguments":{},"resource-name":""}`: "/resource-parameters is missing",
		`{"_links":{"self":{"href":"/api/v2/events/1"}},"id":1}`:                                                                            "",
		`{"run-action-job":{"self":{"href":1}}}`:                                                                                            "Href",
	} {
		err := sdkReads([]byte(body))
		if got := fmt.Sprint(err); want == "" && err != nil || want != "" && !strings.Contains(got, want) {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
}
