// Does what the button's name says: one cell of the conformance table each.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"unicode/utf8"
)

type object = map[string]any

type callback struct {
	Header struct {
		EventType  string `json:"event_type"`
		CreateTime string `json:"create_time"`
	} `json:"header"`
	Event json.RawMessage `json:"event"`
	// Of the old card protocol, which has no envelope.
	OpenID string `json:"open_id"`
}

type click struct {
	Action struct {
		Name      string                `json:"name"`
		Value     struct{ Text string } `json:"value"`
		FormValue json.RawMessage       `json:"form_value"`
	} `json:"action"`
	Context struct{ URL string } `json:"context"`
}

func main() {
	var asked callback
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		panic(err)
	}
	if reply := answer(asked); reply != nil {
		if err := json.NewEncoder(os.Stdout).Encode(reply); err != nil {
			panic(err)
		}
	}
}

func answer(asked callback) any {
	var event click
	switch asked.Header.EventType {
	case "":
		return object{"toast": toast("success", asked.OpenID, nil)}
	case "card.action.trigger", "url.preview.get":
		if err := json.Unmarshal(asked.Event, &event); err != nil {
			panic(err)
		}
	default:
		fmt.Fprintln(os.Stderr, string(asked.Event))
		return nil
	}
	if asked.Header.EventType == "url.preview.get" {
		return object{"inline": object{"title": event.Context.URL, "i18n_title": object{"zh_cn": "链接"}}}
	}
	return press(event, asked.Header.CreateTime)
}

func press(event click, created string) any {
	action := event.Action
	switch action.Name {
	case "toast":
		return object{"toast": toast("warning", "toast", object{"zh_cn": "提示", "ja_jp": "トースト"})}
	case "raw card":
		elements := []object{{"tag": "markdown", "content": "raw card"}}
		card := object{"schema": "2.0", "body": object{"elements": elements}}
		return object{"card": object{"type": "raw", "data": card}}
	case "template card":
		data := object{
			"template_id": "AAqconformance", "template_version_name": "1.0.0",
			"template_variable": object{"who": "Ann"},
		}
		return object{"card": object{"type": "template", "data": data}}
	case "form values":
		return info(string(action.FormValue))
	case "text":
		return object{"toast": toast("info", action.Value.Text, object{"zh_cn": action.Value.Text})}
	case "integers":
		// As the platform wrote it: in microseconds here.
		micros, err := strconv.ParseUint(created, 10, 64)
		if err != nil {
			panic(err)
		}
		return info(strconv.FormatUint(micros/1000, 10))
	case "1 MB payload":
		return info(strconv.Itoa(utf8.RuneCountInString(action.Value.Text)))
	case "failure":
		return object{"toast": toast("error", "failure", nil)}
	case "endless loop":
		for {
		}
	case "oversized allocation":
		large := make([]byte, 512<<20)
		for i := range large {
			large[i] = 1
		}
		return info(strconv.Itoa(len(large)))
	case "logging":
		fmt.Fprintln(os.Stderr, "logged 日志")
		return info("logged")
	case "settings":
		return info(os.Getenv("greeting"))
	case "remaining time":
		return info(os.Getenv("AVIARY_REMAINING_MS"))
	default:
		panic(action.Name)
	}
}

func info(content string) any {
	return object{"toast": toast("info", content, nil)}
}

func toast(kind, content string, i18n object) object {
	toast := object{"type": kind, "content": content}
	if i18n != nil {
		toast["i18n"] = i18n
	}
	return toast
}
