package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func text(t *testing.T, reply any) string {
	bytes, err := json.Marshal(reply)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(string(bytes))
}

func TestAClickIsAnsweredWithACardThatNamesWhoClicked(t *testing.T) {
	var event Event
	event.Operator.OpenID = "ou_1"
	event.Action.FormValue = map[string]any{"days": "3"}
	reply := text(t, onClick(event))
	for _, part := range []string{"Hello from Go", "<at id=ou_1></at>", "**days**: 3"} {
		if !strings.Contains(reply, part) {
			t.Errorf("%s is not in %s", part, reply)
		}
	}
}

func TestALinkIsShownAsItsHostAndItsPath(t *testing.T) {
	for link, title := range map[string]string{
		"https://a.example/b/c?d=e": "a.example · /b/c",
		"https://a.example":         "a.example · /",
		"not a link":                "not a link",
	} {
		if reply := text(t, onLink(link)); !strings.Contains(reply, `"`+title+`"`) {
			t.Errorf("%s is shown as %s", link, reply)
		}
	}
}

func TestAnUnknownCallbackIsAFailure(t *testing.T) {
	if _, err := answer(Callback{}); err == nil {
		t.Error("nobody said so")
	}
}
