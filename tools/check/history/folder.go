package history

import (
	"bufio"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Folder is a run on disk that is being written.
type Folder struct {
	dir string
}

// Create makes the folder of a run. It fails when there is one already.
func Create(dir string) (*Folder, error) {
	if _, err := os.Stat(filepath.Join(dir, runFile)); err == nil {
		return nil, fmt.Errorf("history: %s has a run already", dir)
	}
	if err := os.MkdirAll(filepath.Join(dir, clientsFolder), 0o750); err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	return &Folder{dir: dir}, nil
}

const (
	runFile       = "run.json"
	clientsFolder = "clients"
	jsonl         = ".jsonl"
	streamPrefix  = "stream-"
)

// Client opens the file of a client, whose name is a file's: letters, digits, "-", "_". Close
// it.
func (f *Folder) Client(name string) (*Writer, error) {
	file, err := os.Create(filepath.Join(f.dir, clientsFolder, name+jsonl))
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	return &Writer{client: name, file: file, buffer: bufio.NewWriterSize(file, 64<<10)}, nil
}

// WriteStream writes the streams as node has them. It stops at the first error of messages.
func (f *Folder) WriteStream(node string, messages iter.Seq2[Message, error]) error {
	return writeLines(filepath.Join(f.dir, streamPrefix+node+jsonl), messages)
}

// Finish writes run.json: without it a folder is not a run. It may be called again, with what
// became known later.
func (f *Folder) Finish(run Run) error {
	data, err := json.Marshal(run, jsontext.WithIndent("  "))
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, runFile), data, 0o600); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	return nil
}

// Writer writes the file of a client. Its methods may be called by several goroutines; events
// are in the order of the calls.
type Writer struct {
	client string

	mu     sync.Mutex
	file   *os.File
	buffer *bufio.Writer
	last   int64
	err    error // the first; later events are dropped
}

// Write adds e. It fills in Client, and T with the time now when that is 0. An error is kept
// and told by Close, so that a driver need not look.
func (w *Writer) Write(e Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return
	}
	e.Client = w.client
	if e.T == 0 {
		e.T = Now()
	}
	if e.T < w.last { // two goroutines looked at the clock before either wrote
		e.T = w.last
	}
	w.last = e.T
	w.err = json.MarshalWrite(w.buffer, e)
	if w.err == nil {
		w.err = w.buffer.WriteByte('\n')
	}
}

// Flush hands what was written to the system.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = w.buffer.Flush()
	}
	return w.err
}

// Close flushes and closes. It tells the first error of all.
func (w *Writer) Close() error {
	err := w.Flush()
	if err = errors.Join(err, w.file.Close()); err != nil {
		return fmt.Errorf("history: client %s: %w", w.client, err)
	}
	return nil
}

// History is a run to be read. A long one has millions of events, so a client's are read when
// they are asked for.
type History struct {
	Run     Run
	clients []string
	nodes   []string
	events  func(client string) ([]Event, error)
	stream  func(node string) ([]Message, error)
}

// Open reads the folder of a run. It fails when it is none.
func Open(dir string) (*History, error) {
	data, err := os.ReadFile(filepath.Join(dir, runFile))
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	h := &History{
		events: func(client string) ([]Event, error) {
			return readLines[Event](filepath.Join(dir, clientsFolder, client+jsonl))
		},
		stream: func(node string) ([]Message, error) {
			return readLines[Message](filepath.Join(dir, streamPrefix+node+jsonl))
		},
	}
	if err := json.Unmarshal(data, &h.Run); err != nil {
		return nil, fmt.Errorf("history: %s: %w", runFile, err)
	}
	if h.clients, err = names(filepath.Join(dir, clientsFolder), ""); err != nil {
		return nil, err
	}
	h.nodes, err = names(dir, streamPrefix)
	return h, err
}

// names lists the .jsonl files of dir that begin with prefix, by what stands between.
func names(dir, prefix string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	var list []string
	for _, e := range entries {
		name, found := strings.CutSuffix(e.Name(), jsonl)
		if rest, begins := strings.CutPrefix(name, prefix); found && begins {
			list = append(list, rest)
		}
	}
	return list, nil
}

// Memory is a run that was never on disk.
func Memory(run Run, clients map[string][]Event, streams map[string][]Message) *History {
	h := &History{
		Run:    run,
		events: func(client string) ([]Event, error) { return clients[client], nil },
		stream: func(node string) ([]Message, error) { return streams[node], nil },
	}
	for name := range clients {
		h.clients = append(h.clients, name)
	}
	for node := range streams {
		h.nodes = append(h.nodes, node)
	}
	slices.Sort(h.clients)
	slices.Sort(h.nodes)
	return h
}

// Clients are the names of the clients, sorted.
func (h *History) Clients() []string { return h.clients }

// Nodes are the names of the NATS nodes whose streams were read, sorted.
func (h *History) Nodes() []string { return h.nodes }

// Events reads those of a client, in their order.
func (h *History) Events(client string) ([]Event, error) { return h.events(client) }

// Stream reads the streams as node had them.
func (h *History) Stream(node string) ([]Message, error) { return h.stream(node) }

// Save writes the run to dir, which has none yet.
func (h *History) Save(dir string) error {
	f, err := Create(dir)
	if err != nil {
		return err
	}
	for _, name := range h.clients {
		events, err := h.events(name)
		if err != nil {
			return err
		}
		w, err := f.Client(name)
		if err != nil {
			return err
		}
		for _, e := range events {
			w.Write(e)
		}
		if err := w.Close(); err != nil {
			return err
		}
	}
	for _, node := range h.nodes {
		messages, err := h.stream(node)
		if err != nil {
			return err
		}
		err = f.WriteStream(node, func(yield func(Message, error) bool) {
			for _, m := range messages {
				if !yield(m, nil) {
					return
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return f.Finish(h.Run)
}

func readLines[T any](path string) (list []T, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	lines := bufio.NewScanner(file)
	lines.Buffer(make([]byte, 64<<10), 16<<20)
	for n := 1; lines.Scan(); n++ {
		var v T
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			return nil, fmt.Errorf("history: %s line %d: %w", filepath.Base(path), n, err)
		}
		list = append(list, v)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("history: %s: %w", filepath.Base(path), err)
	}
	return list, nil
}

func writeLines[T any](path string, values iter.Seq2[T, error]) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	buffer := bufio.NewWriter(file)
	for v, err := range values {
		if err != nil {
			return err
		}
		if err := json.MarshalWrite(buffer, v); err != nil {
			return fmt.Errorf("history: %s: %w", filepath.Base(path), err)
		}
		if err := buffer.WriteByte('\n'); err != nil {
			return fmt.Errorf("history: %w", err)
		}
	}
	if err := buffer.Flush(); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	return nil
}
