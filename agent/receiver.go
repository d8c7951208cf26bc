package agent

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"muster/internal/bus"
	"muster/internal/pki"
	"muster/internal/wire"
	"muster/registry"
)

// registrar stores registrations; [registry.Registry] is one.
type registrar interface {
	Register(ctx context.Context, r registry.Registration) (registry.Receipt, error)
	Repeated(ctx context.Context, r registry.Registration) (receipt registry.Receipt, known bool, err error)
	Trust(ctx context.Context, r registry.Registration) error
	Refuse(r registry.Refusal)
}

// sealer seals messages; [wire.Sealer] is one.
type sealer interface {
	Seal(m wire.Message) ([]byte, error)
}

// Receiver takes registrations from the bus into a registry, and answers each
// that is well sealed with a sealed receipt once it is committed or refused.
//
// A registration that can not be stored, because the disk is full for example,
// gets no receipt: its sender sends it again. The broker is told all the same
// that the message was dealt with, since it could only give it back at once, or
// stop giving us others.
type Receiver struct {
	Bus       Bus
	Sealer    sealer         // seals receipts; its certificate has the role of registry
	Opener    *wire.Opener   // opens registrations
	Connector wire.Connector // "" means RabbitMQ's, which the embedded broker has too

	Collectives []string // where to listen; empty means [DefaultCollective]
	Registry    registrar
	Workers     int                          // how many registrations at once, so that commits can be grouped; 0 means 64
	Renew       func(*x509.Certificate) bool // whether a node that proves itself by it should get a new one; nil: none should

	Listening func()           // called once, when registrations are heard; nil: nobody wants to know
	Now       func() time.Time // nil means time.Now
	Log       *slog.Logger     // nil means slog.Default()
}

const (
	defaultReceivers = 64
	receiptWithin    = 10 * time.Second // after which nobody waits for it any more
)

// Run receives until ctx is done, and returns its cause, or why it can not
// listen. What was begun has ended when Run returns.
func (r Receiver) Run(ctx context.Context) error {
	collectives, err := checkedCollectives(r.Collectives)
	if err != nil {
		return err
	}
	r.Log, r.Now = logger(r.Log), clock(r.Now)
	if r.Workers <= 0 {
		r.Workers = defaultReceivers
	}
	work := make(chan bus.Delivery)
	var workers sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer workers.Wait()
	defer cancel()
	for range r.Workers {
		workers.Go(func() {
			for {
				select {
				case d := <-work:
					r.take(ctx, d)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	for _, collective := range collectives {
		s := bus.Subscription{Destination: r.Connector.Broadcast(collective, "registration"), AckEach: true}
		stop, err := r.Bus.Subscribe(ctx, s, func(handling context.Context, d bus.Delivery) {
			select {
			case work <- d:
			case <-handling.Done():
			case <-ctx.Done(): // not acknowledged: the broker gives it to whoever comes next
			}
		})
		if err != nil {
			return fmt.Errorf("listening for registrations in collective %s: %w", collective, err)
		}
		defer stop()
	}
	if r.Listening != nil {
		r.Listening()
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

// take deals with one message from the bus.
func (r Receiver) take(ctx context.Context, d bus.Delivery) {
	opened, err := r.Opener.Open(d.Body)
	if err != nil {
		r.refuseUnopened(d, err)
		r.ack(d)
		return
	}
	receipt, err := r.register(ctx, opened)
	if ctx.Err() != nil && err != nil {
		return // shutting down: neither stored nor refused
	}
	r.ack(d)
	if err != nil {
		r.Log.Error("a registration could not be stored, and was not acknowledged", "node", opened.Proof.Name, "error", err)
		return
	}
	receipt.Renew = r.Renew != nil && opened.Proof.Certificate != nil && r.Renew(opened.Proof.Certificate)
	if err := r.answer(ctx, opened, receipt); err != nil {
		r.Log.Warn("a receipt could not be sent; the node sends again", "node", opened.Proof.Name, "error", err)
	}
}

func (r Receiver) ack(d bus.Delivery) {
	if err := d.Ack(); err != nil {
		r.Log.Warn("the broker could not be told that a registration was dealt with", "error", err)
	}
}

// refuseUnopened records a message whose seal, age or form was not good. Nobody
// is answered: who sent it is not proven.
func (r Receiver) refuseUnopened(d bus.Delivery, err error) {
	f := registry.Refusal{Reason: string(wire.Malformed), Detail: err.Error(), From: d.Headers["mc_sender"]}
	if w, ok := errors.AsType[*wire.Refusal](err); ok {
		f.Identity, f.Reason, f.Detail = w.Sender, string(w.Reason), w.Detail
	}
	r.Registry.Refuse(f)
}

// register stores what an opened message says. The receipt also tells of a
// refusal; the error is only for what could not be stored.
func (r Receiver) register(ctx context.Context, m wire.Opened) (receiptBody, error) {
	proven, err := r.proven(m)
	if err == nil {
		if receipt, known, err := r.Registry.Repeated(ctx, proven); known {
			if err == nil { // the certificate may be a new one
				err = r.trust(ctx, proven, m)
			}
			return acceptedBody(receipt), err
		}
	}
	var reg registry.Registration
	if err == nil {
		reg, err = r.registration(m, proven)
	}
	if f, ok := errors.AsType[*registry.Refusal](err); ok {
		r.Registry.Refuse(*f)
		return refusedBody(f), nil
	}
	if err != nil {
		return receiptBody{}, err
	}
	receipt, err := r.Registry.Register(ctx, reg)
	if f, ok := errors.AsType[*registry.Refusal](err); ok {
		return refusedBody(f), nil // the registry has recorded it
	}
	if err == nil {
		err = r.trust(ctx, reg, m)
	}
	if err != nil {
		return receiptBody{}, err
	}
	return acceptedBody(receipt), nil
}

// trust stores what the certificate of a message says of the node.
func (r Receiver) trust(ctx context.Context, reg registry.Registration, m wire.Opened) error {
	if m.Proof.Certificate == nil {
		return nil
	}
	reg.Facts = pki.TrustedFacts(m.Proof.Certificate)
	return r.Registry.Trust(ctx, reg)
}

func acceptedBody(receipt registry.Receipt) receiptBody {
	return receiptBody{Accepted: true, Warnings: receipt.Warnings, Next: int64(receipt.Next / time.Second)}
}

func refusedBody(f *registry.Refusal) receiptBody {
	return receiptBody{Reason: f.Reason, Detail: f.Detail}
}

// proven is what is known of a registration by its seal, with its body.
func (r Receiver) proven(m wire.Opened) (registry.Registration, error) {
	if m.Kind != wire.Registration {
		return registry.Registration{}, refusalOf(m, string(wire.Unexpected), fmt.Sprintf("a %s is not wanted here", m.Kind))
	}
	reg := registry.Registration{
		Identity: m.Proof.Name, Source: registry.Daemon, Auth: m.Proof.Auth, Sequence: m.Sequence, Sent: m.Sent, Body: m.Body,
	}
	if skew := m.Skew; skew > wire.MaxSkew {
		reg.Warnings = append(reg.Warnings, fmt.Sprintf("the node's clock is %s ahead of the registry's", skew.Round(time.Second)))
	}
	return reg, nil
}

// registration decodes the body of what is proven.
func (r Receiver) registration(m wire.Opened, proven registry.Registration) (registry.Registration, error) {
	said, err := registry.DecodeRegistration(m.Body)
	if f, ok := errors.AsType[*registry.Refusal](err); ok {
		f.Identity, f.From = m.Proof.Name, m.Caller
		return registry.Registration{}, f
	}
	if err != nil {
		return registry.Registration{}, refusalOf(m, registry.ReasonMalformed, err.Error())
	}
	if said.Identity != "" && !strings.EqualFold(said.Identity, m.Proof.Name) {
		return registry.Registration{}, refusalOf(m, string(wire.WrongSender),
			fmt.Sprintf("the registration is of %.60q, its seal of %q", said.Identity, m.Proof.Name))
	}
	reg := proven
	reg.Interval, reg.Facts, reg.Classes, reg.Agents, reg.Collectives = said.Interval, said.Facts, said.Classes, said.Agents, said.Collectives
	reg.Warnings = slices.Concat(said.Warnings, proven.Warnings)
	return reg, nil
}

func refusalOf(m wire.Opened, reason, detail string) error {
	return &registry.Refusal{Identity: m.Proof.Name, Reason: reason, Detail: detail, From: m.Caller}
}

// answer sends a receipt to where the registration says.
func (r Receiver) answer(ctx context.Context, m wire.Opened, receipt receiptBody) error {
	if m.ReplyTo == "" {
		return nil
	}
	if !answerable(m.ReplyTo) {
		return fmt.Errorf("%.100q is not a destination for replies", m.ReplyTo)
	}
	body, err := json.Marshal(receipt)
	if err != nil {
		return err
	}
	sealed, err := r.Sealer.Seal(wire.Message{
		Kind: wire.Receipt, Agent: "registration", Collective: m.Collective, RequestID: m.RequestID, Sent: r.Now(), Body: body,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, receiptWithin)
	defer cancel()
	return r.Bus.Publish(ctx, bus.Message{Destination: m.ReplyTo, Body: sealed})
}
