// A command that answers callbacks: the callback's JSON comes on standard input, the reply's JSON goes to standard
// output, and what is written to standard error is in the host's log.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"

	_ "time/tzdata" // there are no files to read time zones from
)

func main() {
	log.SetFlags(0) // the host's log has the time
	var callback Callback
	if err := json.NewDecoder(os.Stdin).Decode(&callback); err != nil {
		log.Fatalf("the callback is not JSON: %v", err)
	}
	reply, err := answer(callback)
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(reply); err != nil {
		log.Fatal(err)
	}
}

func answer(callback Callback) (any, error) {
	switch callback.Header.EventType {
	case "card.action.trigger":
		log.Printf("%s touched", callback.Event.Action.Tag)
		return onClick(callback.Event), nil
	case "url.preview.get":
		return onLink(callback.Event.Context.URL), nil
	default:
		return nil, fmt.Errorf("nothing here answers %s", callback.Header.EventType)
	}
}
