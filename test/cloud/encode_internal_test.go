package cloud

import (
	"encoding/json"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// What is written by hand is what encoding/json writes.
func TestEncoding(t *testing.T) {
	g := NewWithT(t)
	for _, v := range []any{
		nil, "", "plain", `"quoted" \ and <b>&amp;</b>`, "ümlaut ☃ \n \x00 \u2028 \xff", true, false, 0, -7, int64(1) << 60, 1.5, 1e21, []any{1, "a", nil},
		object{}, object(nil), object{"b": 1, "a": object{"z": []object{{"x": nil}, {}}, "y": []string{}}, "c": []string(nil), "": "e"},
		map[string]string{"k<": "v", "a": ""}, map[string]string(nil), []object{}, []object(nil), []string{"x", "y"}, []string(nil),
		[]addressPair{{IP: "10.0.0.5", MAC: "fa:16:3e:00:00:01"}}, map[string]any{"n": map[string]int{"b": 1, "a": 2}}, time.Unix(0, 0).UTC(),
	} {
		want, err := json.Marshal(v)
		g.Expect(err).NotTo(HaveOccurred())
		got, err := appendJSON([]byte("before "), v)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(string(got)).To(Equal("before " + string(want)))
	}
	many := object{}
	for i := range 100 {
		many[string(rune('a'+i))] = i
	}
	want, err := json.Marshal(many)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(appendJSON(nil, many)).To(Equal(want))
	for _, v := range []any{make(chan int), object{"a": func() {}}, []any{make(chan int)}} {
		_, err := appendJSON(nil, v)
		g.Expect(err).To(HaveOccurred())
	}
}

func TestWriter(t *testing.T) {
	g := NewWithT(t)
	var w jsonWriter
	w.open('{')
	w.text("text", `a"b`)
	w.textOrNull("none", "")
	w.textOrNull("some", "x")
	w.number("number", -3)
	w.flag("flag", true)
	w.joined("joined", "a", "/", "b")
	w.time("never", time.Time{}, layoutSeconds)
	w.time("then", time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("x", 3600)), layoutSeconds)
	w.key("list")
	w.open('[')
	for range 2 {
		w.item()
		w.open('{')
		w.value("k", []string{"v"})
		w.end('}')
	}
	w.end(']')
	w.key("empty")
	w.open('[')
	w.end(']')
	w.null("last")
	w.end('}')
	g.Expect(string(w.b)).To(Equal(`{"text":"a\"b","none":null,"some":"x","number":-3,"flag":true,"joined":"a/b","never":null,"then":"2026-01-02T02:04:05Z",` +
		`"list":[{"k":["v"]},{"k":["v"]}],"empty":[],"last":null}`))
}

func TestTable(t *testing.T) {
	g := NewWithT(t)
	var ts table[int]
	a, b, c := 1, 2, 3
	ts.put("a", &a)
	ts.put("b", &b)
	ts.put("a", &a)
	g.Expect(ts.all()).To(Equal([]*int{&a, &b}))
	ts.put("a", &c)
	g.Expect(ts.all()).To(Equal([]*int{&b, &c}), "another thing with the ID comes last")
	g.Expect(ts.get("a")).To(BeIdenticalTo(&c))
	ts.drop("b")
	ts.drop("b")
	g.Expect(ts.get("b")).To(BeNil())
	g.Expect(ts.all()).To(Equal([]*int{&c}))
	g.Expect(ts.find(func(v *int) bool { return *v == 3 })).To(BeIdenticalTo(&c))
	g.Expect(ts.find(func(*int) bool { return false })).To(BeNil())
}
