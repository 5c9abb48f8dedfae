package logging

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	. "github.com/onsi/gomega"
)

func TestNew(t *testing.T) {
	tests := []struct {
		level, format string
		ok            bool
	}{
		{"info", "text", true},
		{"debug", "json", true},
		{"loud", "text", false},
		{"info", "xml", false},
	}
	for _, tt := range tests {
		t.Run(tt.level+" "+tt.format, func(t *testing.T) {
			g := NewWithT(t)
			var out bytes.Buffer
			logger, err := New(&out, tt.level, tt.format)
			g.Expect(err == nil).To(Equal(tt.ok))
			if !tt.ok {
				return
			}
			logger.WithField("a", 1).Info("said")
			g.Expect(out.String()).To(ContainSubstring("said"))
			g.Expect(json.Valid(out.Bytes())).To(Equal(tt.format == FormatJSON))
		})
	}
}

// TestBridge: what libraries log arrives, at the level it belongs to.
func TestBridge(t *testing.T) {
	tests := []struct {
		level     string
		verbosity int
		written   bool
	}{
		{"info", 0, true},
		{"info", 1, false},
		{"debug", 1, true},
		{"debug", 2, false},
		{"trace", 2, true},
		{"trace", maxVerbosity, true},
		{"trace", maxVerbosity + 1, false},
		{"warning", 0, false},
	}
	for _, tt := range tests {
		g := NewWithT(t)
		var out bytes.Buffer
		logger, err := New(&out, tt.level, FormatJSON)
		g.Expect(err).NotTo(HaveOccurred())
		bridge := Bridge(logger).WithName("library").WithValues("key", "value")
		bridge.V(tt.verbosity).Info("said")
		if !tt.written {
			g.Expect(out.String()).To(BeEmpty(), "%+v", tt)
			continue
		}
		g.Expect(out.String()).To(And(ContainSubstring("said"), ContainSubstring("library"), ContainSubstring("value")), "%+v", tt)
	}
}

func TestBridgeErrors(t *testing.T) {
	g := NewWithT(t)
	var out bytes.Buffer
	logger, err := New(&out, "error", FormatJSON)
	g.Expect(err).NotTo(HaveOccurred())
	Bridge(logger).Error(errors.New("broken"), "said")
	g.Expect(out.String()).To(And(ContainSubstring("broken"), ContainSubstring("said"), ContainSubstring(`"level":"error"`)))
}
