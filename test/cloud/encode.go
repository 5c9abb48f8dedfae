package cloud

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// appendJSON appends v as encoding/json would write it. It knows the types of which answers are made and leaves others to
// encoding/json, whose way through reflection took most of the time of a request.
func appendJSON(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case string:
		return appendText(b, v), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case int:
		return strconv.AppendInt(b, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case object:
		return appendMap(b, v, appendJSON)
	case map[string]string:
		return appendMap(b, v, func(b []byte, s string) ([]byte, error) { return appendText(b, s), nil })
	case []object:
		return appendList(b, v, func(b []byte, o object) ([]byte, error) { return appendMap(b, o, appendJSON) })
	case []string:
		return appendList(b, v, func(b []byte, s string) ([]byte, error) { return appendText(b, s), nil })
	}
	other, err := json.Marshal(v)
	return append(b, other...), err
}

// appendMap writes the keys in order, as encoding/json does.
func appendMap[V any](b []byte, m map[string]V, value func([]byte, V) ([]byte, error)) ([]byte, error) {
	if m == nil {
		return append(b, "null"...), nil
	}
	var room [48]string
	keys := room[:0]
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	b = append(b, '{')
	for i, key := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, key), ':')
		var err error
		if b, err = value(b, m[key]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func appendList[V any](b []byte, list []V, value func([]byte, V) ([]byte, error)) ([]byte, error) {
	if list == nil {
		return append(b, "null"...), nil
	}
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = value(b, v); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

// appendText writes a string.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, err := json.Marshal(s)
			if err != nil { // strings always can be
				return b
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// jsonWriter writes JSON piece by piece, without the maps that object is: for what is asked for in every pass.
type jsonWriter struct {
	b    []byte
	more bool // a value has been written at this level
}

// open begins an object or a list.
func (w *jsonWriter) open(bracket byte) {
	w.b, w.more = append(w.b, bracket), false
}

// end ends an object or a list; what is around it goes on.
func (w *jsonWriter) end(bracket byte) {
	w.b, w.more = append(w.b, bracket), true
}

// item begins a value of a list.
func (w *jsonWriter) item() {
	if w.more {
		w.b = append(w.b, ',')
	}
	w.more = true
}

// key begins a value of an object. Its parts may be anything that needs no quoting.
func (w *jsonWriter) key(key string) {
	w.item()
	w.b = append(w.b, '"')
	w.b = append(w.b, key...)
	w.b = append(w.b, '"', ':')
}

func (w *jsonWriter) text(key, value string) {
	w.key(key)
	w.b = appendText(w.b, value)
}

// joined writes a string of parts that need no quoting.
func (w *jsonWriter) joined(key string, parts ...string) {
	w.key(key)
	w.b = append(w.b, '"')
	for _, p := range parts {
		w.b = append(w.b, p...)
	}
	w.b = append(w.b, '"')
}

// textOrNull writes null for "".
func (w *jsonWriter) textOrNull(key, value string) {
	if value == "" {
		w.null(key)
		return
	}
	w.text(key, value)
}

func (w *jsonWriter) number(key string, value int) {
	w.key(key)
	w.b = strconv.AppendInt(w.b, int64(value), 10)
}

func (w *jsonWriter) flag(key string, value bool) {
	w.key(key)
	w.b = strconv.AppendBool(w.b, value)
}

func (w *jsonWriter) null(key string) {
	w.key(key)
	w.b = append(w.b, "null"...)
}

// time writes a time as Nova does in places, or null.
func (w *jsonWriter) time(key string, t time.Time, layout string) {
	if t.IsZero() {
		w.null(key)
		return
	}
	w.key(key)
	w.b = append(w.b, '"')
	w.b = t.UTC().AppendFormat(w.b, layout)
	w.b = append(w.b, '"')
}

// value writes anything that appendJSON knows.
func (w *jsonWriter) value(key string, v any) {
	w.key(key)
	b, err := appendJSON(w.b, v)
	if err != nil { // nothing that is answered has a type without JSON
		b = append(w.b, "null"...)
	}
	w.b = b
}
