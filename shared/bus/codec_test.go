package bus

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"gamehall/shared/fault"
)

// sample has a member of each kind that requests have.
type sample struct {
	Text  string   `json:"text"`
	N     int      `json:"n,omitzero"`
	Flag  bool     `json:"flag,omitzero"`
	Tags  []string `json:"tags,omitzero"`
	Inner struct {
		Deep string `json:"deep"`
	} `json:"inner,omitzero"`
}

func TestDecodeRequest(t *testing.T) {
	t.Parallel()
	full := `{"text":"` + strings.Repeat("x", MaxRequest-len(`{"text":""}`)) + `"}`
	tests := []struct {
		name, data string
		code       fault.Code // empty: accepted
		says       string     // in the sentence
		silent     string     // not in the sentence
	}{
		{name: "all members", data: `{"text":"hi","n":7,"flag":true,"tags":["a"],"inner":{"deep":"x"}}`},
		{name: "any order, spaces", data: " \n{ \"n\" : 7 , \"text\" : \"hi\" }\r\n"},
		{name: "escapes", data: `{"text":"\u00e9\ud83d\ude00\n"}`},
		{name: "no members", data: `{}`},
		{name: "no body", data: ``},
		{name: "as long as may be", data: full},
		{name: "a byte too long", data: full + " ", code: fault.TooLong, says: "16385"},
		{name: "far too long", data: strings.Repeat("x", 1<<20), code: fault.TooLong},
		{name: "unknown member", data: `{"text":"hi","colour":"red"}`, code: fault.BadRequest, says: `unknown member "colour"`},
		{name: "unknown inner member", data: `{"text":"hi","inner":{"deeper":"x"}}`, code: fault.BadRequest, says: `"deeper"`},
		{name: "__proto__", data: `{"__proto__":{}}`, code: fault.BadRequest},
		{name: "wrong case", data: `{"Text":"hi"}`, code: fault.BadRequest, says: `unknown member "Text"`},
		{name: "duplicate", data: `{"text":"a","text":"b"}`, code: fault.BadRequest, says: "duplicate"},
		{name: "duplicate, escaped", data: `{"text":"a","t\u0065xt":"b"}`, code: fault.BadRequest, says: "duplicate"},
		{name: "invalid UTF-8", data: "{\"text\":\"a\xffb\"}", code: fault.BadRequest, says: "UTF-8"},
		{name: "overlong UTF-8", data: "{\"text\":\"\xc0\x80\"}", code: fault.BadRequest},
		{name: "cut rune", data: "{\"text\":\"\xe2\x82\"}", code: fault.BadRequest},
		{name: "UTF-8 surrogate", data: "{\"text\":\"\xed\xa0\x80\"}", code: fault.BadRequest},
		{name: "half a surrogate", data: `{"text":"\ud800"}`, code: fault.BadRequest},
		{name: "byte order mark", data: "\xef\xbb\xbf{}", code: fault.BadRequest},
		{name: "trailing data", data: `{"text":"hi"}{}`, code: fault.BadRequest},
		{name: "trailing comma", data: `{"text":"hi",}`, code: fault.BadRequest},
		{name: "trailing bracket", data: `{"text":"hi"}}`, code: fault.BadRequest},
		{name: "cut", data: `{"text":"hi"`, code: fault.BadRequest},
		{name: "only spaces", data: "  ", code: fault.BadRequest, says: "object"},
		{name: "null", data: `null`, code: fault.BadRequest, says: "object"},
		{name: "array", data: `[]`, code: fault.BadRequest, says: "object"},
		{name: "string", data: `"hi"`, code: fault.BadRequest, says: "object"},
		{name: "number", data: `7`, code: fault.BadRequest, says: "object"},
		{name: "comment", data: `{"text":"hi"/* no */}`, code: fault.BadRequest},
		{name: "single quotes", data: `{'text':'hi'}`, code: fault.BadRequest},
		{name: "control character", data: "{\"text\":\"a\x00b\"}", code: fault.BadRequest},
		{name: "number for a string", data: `{"text":987654}`, code: fault.BadRequest, says: `"/text" cannot be this number`, silent: "987654"},
		{name: "string for a number", data: `{"n":"hunter2"}`, code: fault.BadRequest, says: `"/n" cannot be this string`, silent: "hunter2"},
		{name: "string for a boolean", data: `{"flag":"hunter2"}`, code: fault.BadRequest, silent: "hunter2"},
		{name: "object for a string", data: `{"text":{}}`, code: fault.BadRequest, says: "an object"},
		{name: "fraction for a whole number", data: `{"n":1.5}`, code: fault.BadRequest},
		{name: "1e999", data: `{"n":1e999}`, code: fault.BadRequest},
		{name: "too large", data: `{"n":99999999999999999999}`, code: fault.BadRequest},
		{name: "leading zero", data: `{"n":007}`, code: fault.BadRequest},
		{name: "hexadecimal", data: `{"n":0x15}`, code: fault.BadRequest},
		{name: "deep", data: strings.Repeat("[", 10_000), code: fault.BadRequest},
		{name: "deep in a member", data: `{"tags":` + strings.Repeat("[", 10_000), code: fault.BadRequest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got sample
			err := decodeRequest([]byte(tt.data), &got)
			if fault.CodeOf(err) != tt.code {
				t.Fatalf("error %v, want code %q", err, tt.code)
			}
			if err == nil {
				return
			}
			if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("it says %q, want %q in it", err, tt.says)
			}
			if tt.silent != "" && strings.Contains(err.Error(), tt.silent) {
				t.Errorf("it repeats what may be a password: %q", err)
			}
			if strings.Contains(err.Error(), "bus.") || strings.Contains(err.Error(), "jsontext") {
				t.Errorf("it names our types: %q", err)
			}
		})
	}
}

// Decode is for answers and events, where a newer version may say more.
func TestDecode(t *testing.T) {
	t.Parallel()
	var got sample
	if err := Decode([]byte(`{"text":"hi","colour":"red"}`), &got); err != nil || got.Text != "hi" {
		t.Errorf("with a member that is not known: %+v, %v", got, err)
	}
	for _, data := range []string{``, `{`, `{"text":1}`, `{"text":"a","text":"b"}`, "{\"text\":\"\xff\"}"} {
		if err := Decode([]byte(data), &got); err == nil {
			t.Errorf("decoded %q", data)
		}
	}
}

// What the decoder accepts is valid UTF-8, and the same after being encoded and read again.
func FuzzDecodeRequest(f *testing.F) {
	for _, s := range []string{
		``, `{}`, `null`, `{"text":"hi","n":7,"flag":true,"tags":["a","b"],"inner":{"deep":"x"}}`,
		`{"text":"\u0000\ud83d\ude00"}`, `{"Text":"hi"}`, `{"text":"a","text":"b"}`, "{\"text\":\"\xff\"}", `{"n":-0}`, `{"n":1e2}`,
		`{"tags":[[[[`, ` {"tags":[]} `, `{"inner":null}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got sample
		if decodeRequest(data, &got) != nil {
			return
		}
		if !utf8.Valid(data) {
			t.Fatalf("accepted %q, which is no UTF-8", data)
		}
		once, err := encode(got)
		if err != nil {
			t.Fatalf("encode %+v: %v", got, err)
		}
		var back sample
		if err := decodeRequest(once, &back); err != nil {
			if fault.CodeOf(err) == fault.TooLong { // the encoder may need more bytes for the same
				return
			}
			t.Fatalf("%s, which came of %q: %v", once, data, err)
		}
		twice, err := encode(back)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%s became %s (%v)", once, twice, err)
		}
	})
}
