// Does what the button's name says: one cell of the conformance table each. A command: the callback's JSON comes on
// standard input, the reply's goes to standard output, and what is written to standard error is the log.
package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"time"
	"unicode/utf8"

	_ "time/tzdata" // as in the template
)

type object = map[string]any

var busy uint64

// callback has the fields of a callback that the buttons look at; an old card has no envelope.
type callback struct {
	Header struct {
		EventType  string `json:"event_type"`
		CreateTime string `json:"create_time"`
	} `json:"header"`
	Event  json.RawMessage `json:"event"`
	OpenID string          `json:"open_id"`
}

type event struct {
	Action struct {
		Name      string          `json:"name"`
		Value     json.RawMessage `json:"value"`
		FormValue json.RawMessage `json:"form_value"`
	} `json:"action"`
	Context struct {
		URL string `json:"url"`
	} `json:"context"`
}

func main() {
	var asked callback
	must(json.NewDecoder(os.Stdin).Decode(&asked))
	if reply := answer(asked); reply != nil {
		must(json.NewEncoder(os.Stdout).Encode(reply))
	}
}

func answer(asked callback) any {
	var about event
	switch asked.Header.EventType {
	case "":
		return object{"toast": object{"type": "success", "content": asked.OpenID}}
	case "card.action.trigger":
		must(json.Unmarshal(asked.Event, &about))
		return click(asked, about)
	case "url.preview.get":
		must(json.Unmarshal(asked.Event, &about))
		title := object{"zh_cn": "链接"}
		return object{"inline": object{"title": about.Context.URL, "i18n_title": title}}
	default:
		fmt.Fprintln(os.Stderr, string(asked.Event))
		return nil
	}
}

func click(asked callback, about event) any {
	switch about.Action.Name {
	case "toast":
		i18n := object{"zh_cn": "提示", "ja_jp": "トースト"}
		return object{"toast": object{"type": "warning", "content": "toast", "i18n": i18n}}
	case "raw card":
		elements := []object{{"tag": "markdown", "content": "raw card"}}
		card := object{"schema": "2.0", "body": object{"elements": elements}}
		return object{"card": object{"type": "raw", "data": card}}
	case "template card":
		card := object{"template_id": "AAqconformance", "template_version_name": "1.0.0", "template_variable": object{"who": "Ann"}}
		return object{"card": object{"type": "template", "data": card}}
	case "form values":
		return info(string(about.Action.FormValue))
	case "text":
		text := text(about)
		return object{"toast": object{"type": "info", "content": text, "i18n": object{"zh_cn": text}}}
	case "integers":
		micros, err := strconv.ParseUint(asked.Header.CreateTime, 10, 64)
		must(err)
		return info(fmt.Sprint(micros / 1000))
	case "1 MB payload":
		return info(fmt.Sprint(utf8.RuneCountInString(text(about))))
	case "failure":
		return object{"toast": object{"type": "error", "content": "failure"}}
	case "crash":
		panic("the reason of a crash")
	case "half an emoji":
		return info("cut 😀"[:5])
	case "random":
		return info(fmt.Sprint(rand.Uint64()))
	case "print":
		fmt.Fprintln(os.Stderr, "printed 日志")
		return info("printed")
	case "time zone":
		zone, err := time.LoadLocation("Asia/Shanghai")
		must(err)
		return info(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC).In(zone).Format(time.TimeOnly))
	case "endless loop":
		// With so much to do in each turn that its fuel is gone before its time is.
		for x := uint64(1); ; busy = x {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
		}
	case "oversized allocation":
		large := make([]byte, 512<<20)
		large[len(large)-1] = 1
		return info(fmt.Sprint(len(large)))
	case "logging":
		fmt.Fprintln(os.Stderr, "logged 日志")
		return info("logged")
	case "settings":
		return info(os.Getenv("greeting"))
	case "remaining time":
		return info(os.Getenv("AVIARY_REMAINING_MS"))
	}
	panic(about.Action.Name)
}

func info(content string) any {
	return object{"toast": object{"type": "info", "content": content}}
}

func text(about event) string {
	var value struct {
		Text string `json:"text"`
	}
	must(json.Unmarshal(about.Action.Value, &value))
	return value.Text
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
