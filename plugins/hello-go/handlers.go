package main

import (
	"fmt"
	"net/url"
	"slices"
)

// object is a JSON object, as the platform's documentation prints replies.
type object = map[string]any

// onClick says hello to whoever touched a button; a form is shown as it was filled in.
func onClick(event Event) any {
	elements := []object{markdown(fmt.Sprintf("Touched by <at id=%s></at>", event.Operator.OpenID))}
	for _, name := range sorted(event.Action.FormValue) {
		elements = append(elements, markdown(fmt.Sprintf("**%s**: %v", name, event.Action.FormValue[name])))
	}
	card := object{
		"schema": "2.0",
		"header": object{"title": object{"tag": "plain_text", "content": "Hello"}, "template": "green"},
		"body":   object{"elements": elements},
	}
	toast := object{
		"type":    "success",
		"content": "Hello from Go",
		"i18n":    object{"en_us": "Hello from Go", "zh_cn": "来自 Go 的问候"},
	}
	return object{"toast": toast, "card": object{"type": "raw", "data": card}}
}

// onLink shows a link as its host and its path.
func onLink(link string) any {
	title := link
	if parsed, err := url.Parse(link); err == nil && parsed.Host != "" {
		title = parsed.Host + " · " + parsed.Path
		if parsed.Path == "" {
			title += "/"
		}
	}
	return object{"inline": object{"title": title}}
}

func markdown(text string) object {
	return object{"tag": "markdown", "content": text}
}

func sorted(form map[string]any) []string {
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
