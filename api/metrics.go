package api

import (
	"context"
	"log/slog"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"muster/registry"
)

// metrics are what /metrics shows.
type metrics struct {
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	unaudited prometheus.Counter
	serve     echo.HandlerFunc
}

func newMetrics(r Registry, log *slog.Logger, insecure []string) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muster_http_requests_total",
			Help: "HTTP requests answered, by route and status.",
		}, []string{"route", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "muster_http_request_duration_seconds",
			Help:    "Time from the request's head to the answer's last byte.",
			Buckets: []float64{.0001, .0005, .001, .005, .01, .05, .1, .5, 1, 5},
		}, []string{"route"}),
	}
	m.unaudited = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "muster_audit_failures_total",
		Help: "Requests whose line could not be written to the audit log.",
	})
	weak := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "muster_insecure_setting",
		Help: "1 for each setting that makes the server less safe than it is by itself.",
	}, []string{"name"})
	for _, name := range insecure {
		weak.WithLabelValues(name).Set(1)
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(m.requests, m.durations, m.unaudited, weak, newCollector(r))
	m.serve = echo.WrapHandler(promhttp.HandlerFor(reg, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}))
	return m
}

// collector reads the registry's own numbers when it is asked for them.
type collector struct {
	registry                             Registry
	ready, nodes, registrations, refused *prometheus.Desc
	redacted                             *prometheus.Desc

	alarm, overdue, colliding, forgotten, held, slow *prometheus.Desc
	unstored                                         *prometheus.Desc
}

func newCollector(r Registry) *collector {
	return &collector{
		registry: r,
		ready:    prometheus.NewDesc("muster_registry_ready", "1 once all stored nodes are known.", nil, nil),
		nodes:    prometheus.NewDesc("muster_nodes", "Nodes, by state.", []string{"state"}, nil),
		registrations: prometheus.NewDesc("muster_registrations_total",
			"Registrations from every door, by result: changed, unchanged, refused, failed.", []string{"result"}, nil),
		refused: prometheus.NewDesc("muster_registrations_rejected_total", "Registrations refused, by reason.", []string{"reason"}, nil),

		redacted: prometheus.NewDesc("muster_facts_redacted_total", "Values of facts that looked like secrets, by what showed it: name or value.", []string{"by"}, nil),

		unstored: prometheus.NewDesc("muster_store_fails", "1 while nothing can be stored, because the disk is full for example.", nil, nil),
		alarm: prometheus.NewDesc("muster_states_stand_still",
			"1 while nodes do not grow older: deaf, the registry can not hear them; frozen, too many fell silent at once.", []string{"why"}, nil),
		overdue:   prometheus.NewDesc("muster_nodes_overdue", "Nodes that are about to change state.", nil, nil),
		colliding: prometheus.NewDesc("muster_nodes_colliding", "Nodes as which more than one machine registers.", nil, nil),
		forgotten: prometheus.NewDesc("muster_nodes_forgotten_total", "Nodes that were silent for so long that they were forgotten.", nil, nil),
		held:      prometheus.NewDesc("muster_nodes_held", "Nodes that would be forgotten if that were not too many at once.", nil, nil),
		slow:      prometheus.NewDesc("muster_watchers_dropped_total", "Watchers that were given up because they fell behind.", nil, nil),
	}
}

// Describe implements [prometheus.Collector].
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.ready, c.nodes, c.registrations, c.refused, c.redacted, c.alarm, c.overdue, c.colliding, c.forgotten, c.held, c.slow, c.unstored,
	} {
		out <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(out chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, n uint64, label string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), label)
	}
	stats := c.registry.Stats()
	refused := uint64(0)
	for reason, n := range stats.Refused {
		refused += n
		counter(c.refused, n, reason)
	}
	for by, n := range stats.Redacted {
		counter(c.redacted, n, by)
	}
	counter(c.registrations, stats.Changed, "changed")
	counter(c.registrations, stats.Unchanged, "unchanged")
	counter(c.registrations, stats.Failed, "failed")
	counter(c.registrations, refused, "refused")
	unstored := 0.0
	if !stats.UnstoredSince.IsZero() {
		unstored = 1
	}
	out <- prometheus.MustNewConstMetric(c.unstored, prometheus.GaugeValue, unstored)
	c.collectLife(out, stats.Life)
	c.collectNodes(out)
}

func (c *collector) collectLife(out chan<- prometheus.Metric, l registry.LifeStats) {
	number := func(d *prometheus.Desc, kind prometheus.ValueType, n float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, kind, n, labels...)
	}
	for why, since := range map[string]time.Time{"deaf": l.DeafSince, "frozen": l.FrozenSince} {
		on := 0.0
		if !since.IsZero() {
			on = 1
		}
		number(c.alarm, prometheus.GaugeValue, on, why)
	}
	number(c.overdue, prometheus.GaugeValue, float64(l.Overdue))
	number(c.colliding, prometheus.GaugeValue, float64(l.Collisions))
	number(c.forgotten, prometheus.CounterValue, float64(l.Purged))
	number(c.held, prometheus.GaugeValue, float64(l.PurgeHeld))
	number(c.slow, prometheus.CounterValue, float64(l.Slow))
}

// collectNodes counts nodes by state; there are none while they are loaded.
func (c *collector) collectNodes(out chan<- prometheus.Metric) {
	ready := 1.0
	for _, state := range []registry.State{registry.Active, registry.Stale, registry.Expired, registry.Deactivated} {
		answer, err := c.registry.Find(context.Background(), registry.Discovery{States: []registry.State{state}, Limit: 1})
		if err != nil {
			ready = 0
			break
		}
		out <- prometheus.MustNewConstMetric(c.nodes, prometheus.GaugeValue, float64(answer.Count), string(state))
	}
	out <- prometheus.MustNewConstMetric(c.ready, prometheus.GaugeValue, ready)
}
