package main

// Callback is what this plugin reads of a callback as the platform sends it; add the fields that you need.
type Callback struct {
	Header struct {
		EventType string `json:"event_type"`
	} `json:"header"`
	Event Event `json:"event"`
}

// Event is the part that differs from one type to the next.
type Event struct {
	Operator struct {
		OpenID string `json:"open_id"`
	} `json:"operator"`
	Action struct {
		Tag       string         `json:"tag"`
		FormValue map[string]any `json:"form_value"`
	} `json:"action"`
	Context struct {
		URL string `json:"url"`
	} `json:"context"`
}
