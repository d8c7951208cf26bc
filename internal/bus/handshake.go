package bus

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
)

// beats are the heart-beats agreed on; 0 is none.
type beats struct {
	in  time.Duration // the client is taken for dead after this silence
	out time.Duration // at least one byte is written within this time
}

// String is the broker's side of the agreement, for CONNECTED.
func (b beats) String() string {
	return fmt.Sprintf("%d,%d", b.out.Milliseconds(), b.in.Milliseconds()/2)
}

// agree combines what the client offers, "can,wants" in milliseconds, with ours.
func agree(header string, ours time.Duration) (beats, error) {
	if header == "" {
		return beats{}, nil
	}
	can, wants, err := frame.ParseHeartBeat(header)
	if err != nil {
		return beats{}, errors.New("heart-beat is two numbers of milliseconds")
	}
	var b beats
	if can > 0 {
		// Twice the time, because networks delay.
		b.in = 2 * max(can, ours)
	}
	if wants > 0 {
		b.out = max(wants, ours)
	}
	return b, nil
}

// newestOf returns the newest version that a client and the broker both speak.
func newestOf(accepted string) (version, bool) {
	if accepted == "" {
		return v10, true
	}
	offered := strings.Split(accepted, ",")
	for v := v12; v >= v10; v-- {
		for _, o := range offered {
			if strings.TrimSpace(o) == v.String() {
				return v, true
			}
		}
	}
	return v10, false
}
