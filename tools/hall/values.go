package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// readers read the values of flags. Kong has its own, which speak to programmers: of a "32 bit
// int", or of what a parser did not expect.
func readers() []kong.Option {
	return []kong.Option{
		reads(func(text string) (time.Duration, error) {
			d, err := time.ParseDuration(text)
			if err != nil {
				return 0, fmt.Errorf("%q is not a time such as 5m, 90s or 1h30m", text)
			}
			return d, nil
		}),
		reads(func(text string) (int, error) {
			n, err := strconv.Atoi(text)
			if err != nil {
				return 0, fmt.Errorf("%q is not a whole number such as 10", text)
			}
			return n, nil
		}),
		reads(func(text string) (float64, error) {
			n, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return 0, fmt.Errorf("%q is not a number such as 5 or 0.5", text)
			}
			return n, nil
		}),
		reads(func(text string) (netip.Prefix, error) {
			p, err := netip.ParsePrefix(text)
			if err != nil {
				return p, fmt.Errorf("%q is not a network such as 10.0.0.0/8, or 192.0.2.7/32 for one address", text)
			}
			return p, nil
		}),
		reads(func(text string) (slog.Level, error) {
			levels := []string{"debug", "info", "warn", "error"}
			var level slog.Level
			if !slices.Contains(levels, strings.ToLower(text)) || level.UnmarshalText([]byte(text)) != nil {
				return 0, fmt.Errorf("%q is none of %s", text, strings.Join(levels, ", "))
			}
			return level, nil
		}),
		kong.TypeMapper(reflect.TypeFor[listen](), kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
			return reader(func(text string) (at listen, err error) {
				if err = at.UnmarshalText([]byte(text)); err != nil {
					err = fmt.Errorf("%w, such as %s", err, ctx.Value.Default)
				}
				return at, err
			})(ctx, target)
		})),
		// An empty path would be the folder that the program was started in.
		kong.NamedMapper("folder", reader(func(text string) (string, error) {
			if text == "" {
				return "", errors.New("it needs a folder such as data; . is this one")
			}
			return kong.ExpandPath(text), nil
		})),
	}
}

// reads makes all flags of a type be read by parse.
func reads[T any](parse func(string) (T, error)) kong.Option {
	return kong.TypeMapper(reflect.TypeFor[T](), reader(parse))
}

func reader[T any](parse func(string) (T, error)) kong.MapperFunc {
	return func(ctx *kong.DecodeContext, target reflect.Value) error {
		token, err := ctx.Scan.PopValue("value")
		if err != nil {
			return err
		}
		value, err := parse(fmt.Sprint(token.Value))
		if err != nil {
			return err
		}
		target.Set(reflect.ValueOf(value))
		return nil
	}
}

// origin is where a web page comes from, written as browsers write it: scheme://host[:port],
// in lower case, without the scheme's own port (RFC 6454, section 6).
type origin string

// UnmarshalText reads an origin.
func (o *origin) UnmarshalText(text []byte) error {
	u, err := url.Parse(strings.ToLower(string(text)))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.String() != u.Scheme+"://"+u.Host {
		return fmt.Errorf("%q is not like https://hall.example or http://127.0.0.1:8080", text)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("%q has no port from 1 to 65535", text)
		}
	} else if strings.HasSuffix(u.Host, ":") {
		return fmt.Errorf("%q has no port after its colon", text)
	}
	own := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	*o = origin(u.Scheme + "://" + strings.TrimSuffix(u.Host, own))
	return nil
}
