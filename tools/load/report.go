package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"
)

// Comparison is one figure of the table.
type Comparison struct {
	Column string  `json:"column"`
	Key    string  `json:"key,omitempty"` // in the guard's file
	Figure string  `json:"figure"`
	Unit   string  `json:"unit"`
	Base   string  `json:"base,omitempty"` // the server that is 1
	Of     float64 `json:"of,omitempty"`   // the median of its rounds
	Value  float64 `json:"value"`          // the median of the hall's rounds
	Ratio  float64 `json:"ratio,omitempty"`
	Best   float64 `json:"best"` // the best round's ratio, or value where there is no base
	Must   float64 `json:"must,omitempty"`
	Aim    float64 `json:"aim,omitempty"`
	Want   wanted  `json:"want"` // what must and aim are about: 0 the ratio, 1 the value, 2 the difference
	More   bool    `json:"more_is_better,omitempty"`
}

// Report is what a run of the table found. Ratios are medians of the rounds' ratios.
type Report struct {
	Machine     string       `json:"machine"`
	Begun       time.Time    `json:"begun"`
	Seconds     float64      `json:"seconds"`
	Comparisons []Comparison `json:"comparisons"`
	Results     []Result     `json:"results"`
}

// judged is what must and aim are about.
func (c Comparison) judged() float64 {
	switch c.Want {
	case absolute:
		return c.Value
	case difference:
		return c.Value - c.Of
	default:
		return c.Ratio
	}
}

// others is how many processors the rest of the machine used during the rounds, on average.
func (r Report) others() float64 {
	sum, seconds := 0.0, 0.0
	for _, result := range r.Results {
		sum, seconds = sum+result.OtherCores*result.Seconds, seconds+result.Seconds
	}
	if seconds == 0 {
		return 0
	}
	return sum / seconds
}

// quietMost is how many processors the rest of the machine may use while ratios mean something.
const quietMost = 0.25

// write prints the table for people.
func (r Report) write(out io.Writer) error {
	_, err := fmt.Fprintf(out, "%s\n%s, %.0f s, the rest of the machine used %.2f processors\n\n",
		r.Machine, r.Begun.Format(time.DateOnly), r.Seconds, r.others())
	if err != nil {
		return err
	}
	if r.others() > quietMost {
		_, _ = fmt.Fprint(out, "The machine was busy with other things: a relay and the hall suffer differently from that,"+
			"\nso run this again when it is quiet before anything is made of it.\n\n") // Flush tells of errors
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "\tto\tthat\tthe hall\tratio\tmust\taim") // Flush tells of errors
	for _, c := range r.Comparisons {
		ratio, of := "", ""
		if c.Base != "" {
			ratio, of = fmt.Sprintf("%.2f", c.Ratio), quantity(c.Of, c.Unit)
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			c.Figure, c.Base, of, quantity(c.Value, c.Unit), ratio, c.goal(c.Must), c.goal(c.Aim))
	}
	return w.Flush()
}

// goal writes what is wanted, and whether it is reached.
func (c Comparison) goal(want float64) string {
	if want == 0 {
		return ""
	}
	text := fmt.Sprintf("%.3g", want)
	switch c.Want {
	case absolute:
		text = quantity(want, c.Unit)
	case difference:
		text = "+" + quantity(want, c.Unit)
	}
	if got := c.judged(); got == want || got > want == c.More {
		return text + " yes"
	}
	return text + " no"
}

// quantity writes a value with its unit.
func quantity(v float64, unit string) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.2f M%s", v/1e6, unit)
	case v >= 1e4:
		return fmt.Sprintf("%.1f k%s", v/1e3, unit)
	case v >= 100:
		return fmt.Sprintf("%.0f %s", v, unit)
	}
	return fmt.Sprintf("%.3g %s", v, unit)
}

// gross is how many times worse than recorded a figure may be before the guard fails: machines
// are noisy, and this is to notice what nobody meant to do. The best round is what counts, for
// whatever else the machine does makes rounds worse.
const gross = 2

// recordedValue is the figure that the guard keeps: the ratio where there is one.
func (c Comparison) recordedValue() float64 {
	if c.Base != "" {
		return c.Ratio
	}
	return c.Value
}

// record writes the ratios to a file.
func (r Report) record(path string) error {
	ratios := map[string]float64{}
	for _, c := range r.Comparisons {
		if c.Key != "" {
			ratios[c.Key] = c.recordedValue()
		}
	}
	text, err := json.MarshalIndent(ratios, "", "  ")
	if err == nil {
		err = os.WriteFile(path, append(text, '\n'), 0o644) //nolint:gosec // it is for everybody to read
	}
	if err != nil {
		return fmt.Errorf("record the ratios: %w", err)
	}
	return nil
}

// against compares with a file of ratios, and fails on a gross loss.
func (r Report) against(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("the recorded ratios: %w", err)
	}
	recorded := map[string]float64{}
	if err := json.Unmarshal(text, &recorded); err != nil {
		return fmt.Errorf("the recorded ratios in %s: %w", path, err)
	}
	var errs []error
	compared := 0
	for _, c := range r.Comparisons {
		was, ok := recorded[c.Key]
		if !ok {
			continue
		}
		compared++
		now := c.Best
		if !c.More && now > gross*was || c.More && now < was/gross {
			errs = append(errs, fmt.Errorf("a gross loss: %s is %.3g, and %.3g was recorded in %s", c.Figure, now, was, path))
		}
	}
	if compared == 0 {
		errs = append(errs, fmt.Errorf("%s has none of the figures that were measured", path))
	}
	return errors.Join(errs...)
}
