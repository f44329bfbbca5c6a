package wire_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"gamehall/shared/fault"
	"gamehall/shared/wire"
)

func TestParseObject(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   string
		want wire.Command
		code fault.Code
	}{
		{"say", `{"id":"7","type":"say","text":"hi"}`, wire.Command{ID: "7", Type: wire.Say, Text: "hi"}, ""},
		{"any order", `{"text":"hi","type":"say","id":"7","key":"k"}`, wire.Command{ID: "7", Type: wire.Say, Text: "hi", Key: "k"}, ""},
		{"white space", " {\n\"id\" : \"7\" , \"type\":\"who\"}\n", wire.Command{ID: "7", Type: wire.Who}, ""},
		{
			"sign in", `{"id":"1","type":"signin","username":"ann","password":"pw","takeover":true}`,
			wire.Command{ID: "1", Type: wire.SignIn, Username: "ann", Password: "pw", Takeover: true},
			"",
		},
		{
			"resume, since per channel", `{"id":"1","type":"resume","token":"t","since":{"lobby":3,"room:a":4}}`,
			wire.Command{ID: "1", Type: wire.Resume, Token: "t", Since: wire.Since{"lobby": 3, "room:a": 4}},
			"",
		},
		{
			"resume, since a number", `{"id":"1","type":"resume","token":"t","since":17}`,
			wire.Command{ID: "1", Type: wire.Resume, Token: "t", Since: wire.Since{"lobby": 17}},
			"",
		},
		{
			"history", `{"id":"1","type":"history","channel":"lobby","limit":5,"before":9}`,
			wire.Command{ID: "1", Type: wire.History, Channel: "lobby", Limit: 5, Before: 9},
			"",
		},
		{"no id", `{"type":"ping"}`, wire.Command{Type: wire.Ping}, ""},
		{"escaped", `{"id":"\u0037","type":"say","text":"\u00e9\ud83d\ude00"}`, wire.Command{ID: "7", Type: wire.Say, Text: "é😀"}, ""},

		{"nothing", ``, wire.Command{}, fault.BadRequest},
		{"no object", `[1]`, wire.Command{}, fault.BadRequest},
		{"null", `null`, wire.Command{}, fault.BadRequest},
		{"a string", `"say"`, wire.Command{}, fault.BadRequest},
		{"cut off", `{"id":"7","type":"say"`, wire.Command{}, fault.BadRequest},
		{"trailing object", `{"type":"who"}{"type":"who"}`, wire.Command{}, fault.BadRequest},
		{"trailing letter", `{"type":"who"}x`, wire.Command{}, fault.BadRequest},
		{"unknown type", `{"id":"7","type":"dance"}`, wire.Command{}, fault.UnknownCommand},
		{"no type", `{"id":"7"}`, wire.Command{}, fault.UnknownCommand},
		{"lines only", `{"id":"7","type":"quit"}`, wire.Command{}, fault.UnknownCommand},
		{"unknown member", `{"type":"say","text":"hi","colour":"red"}`, wire.Command{}, fault.BadRequest},
		{"member of another type", `{"type":"say","text":"hi","room":"r"}`, wire.Command{}, fault.BadRequest},
		{"wrong case", `{"type":"say","Text":"hi"}`, wire.Command{}, fault.BadRequest},
		{"wrong case of type", `{"Type":"who"}`, wire.Command{}, fault.UnknownCommand},
		{"duplicate", `{"type":"say","text":"a","text":"b"}`, wire.Command{}, fault.BadRequest},
		{"duplicate by escape", `{"type":"say","text":"a","\u0074ext":"b"}`, wire.Command{}, fault.BadRequest},
		{"duplicate type", `{"type":"say","type":"who"}`, wire.Command{}, fault.BadRequest},
		{"__proto__", `{"type":"who","__proto__":{}}`, wire.Command{}, fault.BadRequest},
		{"wrong kind", `{"type":"say","text":7}`, wire.Command{}, fault.BadRequest},
		{"id no string", `{"id":7,"type":"who"}`, wire.Command{}, fault.BadRequest},
		{"type no string", `{"id":"7","type":7}`, wire.Command{}, fault.UnknownCommand},
		{"huge number", `{"type":"history","limit":1e999}`, wire.Command{}, fault.BadRequest},
		{"huge integer", `{"type":"history","before":99999999999999999999999}`, wire.Command{}, fault.BadRequest},
		{"negative", `{"type":"history","before":-1}`, wire.Command{}, fault.BadRequest},
		{"fraction", `{"type":"history","limit":1.5}`, wire.Command{}, fault.BadRequest},
		{"deep", `{"type":` + strings.Repeat("[", 2000), wire.Command{}, fault.BadRequest},
		{"five levels", `{"type":"resume","since":{"a":{"b":{"c":{}}}}}`, wire.Command{}, fault.BadRequest},
		{"invalid UTF-8", "{\"type\":\"say\",\"text\":\"\xff\"}", wire.Command{}, fault.BadRequest},
		{"overlong", "{\"type\":\"say\",\"text\":\"\xc0\xaf\"}", wire.Command{}, fault.BadRequest},
		{"surrogate bytes", "{\"type\":\"say\",\"text\":\"\xed\xa0\x80\"}", wire.Command{}, fault.BadRequest},
		{"lone surrogate escape", `{"type":"say","text":"\ud800"}`, wire.Command{}, fault.BadRequest},
		{"control character", "{\"type\":\"say\",\"text\":\"a\nb\"}", wire.Command{}, fault.BadRequest},
		{"comment", `{"type":"who"/**/}`, wire.Command{}, fault.BadRequest},
		{"long id", `{"id":"` + strings.Repeat("x", 65) + `","type":"who"}`, wire.Command{}, fault.BadRequest},
		{"long key", `{"type":"say","text":"a","key":"` + strings.Repeat("x", 65) + `"}`, wire.Command{}, fault.BadRequest},
		{"blank in key", `{"type":"say","text":"a","key":"a b"}`, wire.Command{}, fault.BadRequest},
		{"too long", `{"type":"say","text":"` + strings.Repeat("x", wire.MaxLine) + `"}`, wire.Command{}, fault.TooLong},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := wire.ParseObject([]byte(tt.in))
			if fault.CodeOf(err) != tt.code {
				t.Fatalf("code %q (%v), want %q", fault.CodeOf(err), err, tt.code)
			}
			if err == nil && !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// TestRefusalNamesTheCommand: a client must know which of its commands was refused.
func TestRefusalNamesTheCommand(t *testing.T) {
	t.Parallel()
	got, err := wire.ParseObject([]byte(`{"id":"7","type":"say","colour":"red"}`))
	if err == nil || got.ID != "7" || !strings.Contains(err.Error(), "colour") {
		t.Errorf("id %q, error %v: want id 7 and the unknown name", got.ID, err)
	}
	got, err = wire.ParseObject([]byte(`{"id":"7","type":"who"}{"id":"8","type":"who"}`))
	if fault.CodeOf(err) != fault.BadRequest || got.ID != "7" {
		t.Errorf("of two objects: id %q, error %v: want the first one's id", got.ID, err)
	}
}

func FuzzParseObject(f *testing.F) {
	f.Add([]byte(`{"id":"7","type":"say","text":"hi","key":"k"}`))
	f.Add([]byte(`{"id":"1","type":"resume","token":"t","since":{"lobby":3}}`))
	f.Add([]byte(`{"type":"history","limit":1e2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := wire.ParseObject(data)
		if err != nil {
			if code := fault.CodeOf(err); code == fault.Internal {
				t.Fatalf("%q: %v", data, err)
			}
			return
		}
		if again, err := wire.ParseObject(bytes.TrimSpace(data)); err != nil || !reflect.DeepEqual(c, again) {
			t.Fatalf("%q: %+v, then %+v (%v)", data, c, again, err)
		}
	})
}
