// Package logging sets up the one logger of a program, and bridges what libraries log through logr into it.
package logging

import (
	"fmt"
	"io"

	"github.com/bombsimon/logrusr/v4"
	"github.com/go-logr/logr"
	log "github.com/sirupsen/logrus"
)

// The formats of New.
const (
	FormatText = "text"
	FormatJSON = "json"
)

// New returns a logger that writes to w, from the given level on ("error", "warning", "info", "debug", "trace"), one line
// an entry, as text or as JSON.
func New(w io.Writer, level, format string) (*log.Logger, error) {
	parsed, err := log.ParseLevel(level)
	if err != nil {
		return nil, fmt.Errorf("log level %q: %w", level, err)
	}
	logger := log.New()
	logger.SetOutput(w)
	logger.SetLevel(parsed)
	switch format {
	case FormatText:
		logger.SetFormatter(&log.TextFormatter{FullTimestamp: true, DisableColors: true})
	case FormatJSON:
		logger.SetFormatter(&log.JSONFormatter{})
	default:
		return nil, fmt.Errorf("log format %q: it is %s or %s", format, FormatText, FormatJSON)
	}
	return logger, nil
}

// Bridge returns a logr.Logger, as controller-runtime and klog want one, that writes to the logger. logr's V(0) is info,
// V(1) is debug, all above is trace. The Kubernetes libraries report requests at high levels, with their content, Secrets
// included; what is above V(5) is not let through at any level of the logger.
func Bridge(logger *log.Logger) logr.Logger {
	return logr.New(bounded{logrusr.New(logger).GetSink()})
}

// maxVerbosity is the highest level that Bridge lets through.
const maxVerbosity = 5

// bounded is a sink without the levels above maxVerbosity, and with all others at most at trace.
type bounded struct{ logr.LogSink }

// traceVerbosity is the level of logr that logrus calls trace.
const traceVerbosity = 2

// Enabled tells whether what is logged at a level is written.
func (b bounded) Enabled(level int) bool {
	return level <= maxVerbosity && b.LogSink.Enabled(min(level, traceVerbosity))
}

// Info writes an entry.
func (b bounded) Info(level int, msg string, keysAndValues ...any) {
	b.LogSink.Info(min(level, traceVerbosity), msg, keysAndValues...)
}

// WithValues returns a sink with more fields.
func (b bounded) WithValues(keysAndValues ...any) logr.LogSink {
	return bounded{b.LogSink.WithValues(keysAndValues...)}
}

// WithName returns a sink with a longer name.
func (b bounded) WithName(name string) logr.LogSink {
	return bounded{b.LogSink.WithName(name)}
}
