//go:build browser

package browser

import (
	"testing"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// TestModules tries what the client knows and how it reads, without a hall to talk to: what
// comes twice, late, or not at all.
func TestModules(t *testing.T) {
	t.Parallel()
	h := startHall(t)
	page := open(t, startBrowser(t), h.url, "modules")
	tests := []struct {
		name string
		js   string // a function of the modules that gives what is wrong, "" for nothing
	}{
		{"a line is taken once, and in order", `({hall, lines}) => {
			hall.begin('ann', 10);
			for (const seq of [11, 12, 12, 11, 10, 9, 15]) hall.apply(chat(seq), true);
			hall.merge(hall.lobby, [8, 9, 10, 11, 12, 13].map(chat));
			return same(lines(), ['8', '9', '10', '11', '12', '13', '15']) || same(hall.last.lobby, 15);
		}`},
		{"a resume asks from the last line of each channel", `({hall}) => {
			hall.begin('ann', 10);
			hall.enter('Room', 20);
			hall.apply(chat(12), true);
			hall.apply({...chat(21), event: 'room.chat', channel: 'room:Room'}, true);
			hall.apply({type: 'event', event: 'game21.answered', channel: 'game21', seq: 22, at, round: 1, user: 'bob'}, true);
			return same(hall.last, {lobby: 12, game21: 22, 'room:Room': 21});
		}`},
		{"a gap is a line of its own place", `({hall}) => {
			hall.begin('ann', 10);
			hall.apply(chat(11), true);
			hall.apply({type: 'event', event: 'gap', channel: 'lobby', at, missed: 7}, false);
			hall.apply(chat(30), true);
			return same(hall.lobby.rows.map((r) => r.kind), ['chat', 'gap', 'chat']) || same(hall.lobby.rows[1].missed, 7);
		}`},
		{"an own line stops being sent when it comes by, before its answer or after", `({hall}) => {
			hall.begin('ann', 10);
			const [first, second] = [{text: '11'}, {text: '11'}];
			hall.sendingLine(hall.lobby, first);
			hall.sendingLine(hall.lobby, second);
			hall.apply({...chat(11), from: 'ann'}, true);
			if (hall.lobby.sending.length !== 1 || hall.lobby.sending[0] !== second) return 'the first is not taken first';
			hall.sent(hall.lobby, first, 11);
			hall.sent(hall.lobby, second, 12);
			if (hall.lobby.sending.length !== 1) return 'the second is gone before it came';
			hall.apply({...chat(12), from: 'ann', text: '11'}, true);
			return same(hall.lobby.sending.length, 0);
		}`},
		{"who comes in the midst of a round sees it, and it begins once", `({hall}) => {
			hall.begin('ann', 100);
			const started = {type: 'event', event: 'game21.started', channel: 'game21', seq: 90, at, round: 3, numbers: [1, 2, 3, 4], ends_at: at};
			hall.apply(started, true);
			hall.apply({type: 'event', event: 'game21.answered', channel: 'game21', seq: 101, at, round: 3, user: 'ann'}, true);
			hall.apply(started, true);
			hall.status({open: true, round: 3, numbers: [1, 2, 3, 4], ends_at: at, next_at: null});
			return same([hall.game.open, hall.game.answered, hall.game.mine !== null], [true, ['ann'], true]);
		}`},
		{"a round that is over does not open again", `({hall}) => {
			hall.begin('ann', 100);
			const event = (kind, seq, more) => ({type: 'event', event: 'game21.' + kind, channel: 'game21', seq, at, round: 3, ...more});
			hall.apply(event('started', 101, {numbers: [1, 2, 3, 4], ends_at: at}), true);
			hall.apply(event('ended', 102, {answers: 0, winner: '', expression: '', value: ''}), true);
			hall.status({open: true, round: 3, numbers: [1, 2, 3, 4], ends_at: at});
			hall.pastRounds([event('started', 101, {numbers: [1, 2, 3, 4], ends_at: at}), event('ended', 102, {})]);
			return same([hall.game.open, hall.game.results.length], [false, 1]);
		}`},
		{"the hall's clock counts, not ours", `({hall}) => {
			hall.begin('ann', 10);
			const ahead = new Date(Date.now() + 90_000).toISOString();
			hall.apply({...chat(11), at: new Date(Date.now() - 600_000).toISOString()}, false);
			if (hall.clockAhead !== 0) return 'an old line moved the clock by ' + hall.clockAhead;
			hall.apply({...chat(12), at: ahead}, true);
			return Math.abs(hall.now() - Date.parse(ahead)) < 5000 ? '' : 'off by ' + (hall.now() - Date.parse(ahead));
		}`},
		{"an event of another room is not taken for ours", `({hall}) => {
			hall.begin('ann', 10);
			hall.enter('Room', 20);
			let stray = null;
			hall.on('stray', (e) => { stray = e.channel; });
			hall.apply({...chat(21), event: 'room.chat', channel: 'room:Other'}, true);
			return same([stray, hall.room.rows.length, Object.keys(hall.last).length], ['room:Other', 0, 3]);
		}`},
		{"commands", `({slash}) => {
			const got = ['hi', '//hi', '/w bob hi there', '/GAME21 1+2', '/who'].map(slash.parse);
			const bad = ['/passwrod a b', '/w bob', '/who me', '／who', '/constructor', '/', '/history x', '/history 0', '/passwd a', '/passwd a b c', '/quit now'].filter((l) => !slash.parse(l).wrong);
			const good = ['/history', '/history 7', '/passwd a b', '/ping', '/QUIT', '/joinroom two words'].filter((l) => slash.parse(l).wrong);
			const help = slash.help().split('\n');
			const bare = help.slice(0, -1).filter((l) => !/^\/[A-Z0-9]+( .+)? - \w/.test(l));
			const missing = ['HISTORY [n]', 'PASSWD old new', 'PING', 'QUIT'].filter((c) => !help.some((l) => l.startsWith('/' + c + ' - ')));
			return same([good, bare, missing], [[], [], []]) || same(got, [{say: 'hi'}, {say: '/hi'}, {command: 'W', rest: 'bob hi there'}, {command: '21GAME', rest: '1+2'}, {command: 'WHO', rest: ''}])
				|| same(bad, []);
		}`},
		{"words", `({words}) => same(words.oneLine(' a\nb\tc\u2028d\u0007 '), 'a b c d')
			|| same([65_000, 3_605_000, 0, -5].map(words.countdown), ['1:05', '1:00:05', '0:00', '0:00'])
			|| same(words.duration(7500), '2 hours 5 minutes')
			|| same(new Set(['netease1', 'netease2', 'netease3', 'netease4'].map(words.colour)).size, 4)
			|| same([...Array(2000).keys()].map((i) => words.colour('p' + i)).filter((c) => !/^c([0-9]|1[01])$/.test(c)), [])`},
	}
	const with = `(async (test) => {
		const [state, slash, words] = await Promise.all(['/state.js', '/slash.js', '/words.js'].map((f) => import(f)));
		const hall = new state.Hall();
		globalThis.at = '2026-11-20T15:24:24.1Z';
		globalThis.chat = (seq) => ({type: 'event', event: 'chat', channel: 'lobby', seq, at, from: 'bob', text: String(seq)});
		globalThis.same = (got, want) => (JSON.stringify(got) === JSON.stringify(want) ? '' : 'got ' + JSON.stringify(got) + ', want ' + JSON.stringify(want));
		return test({hall, slash, words, lines: () => hall.lobby.rows.map((r) => r.text)});
	})`
	for _, tt := range tests {
		wrong := "nothing was given"
		page.run(tt.name, chromedp.Evaluate(with+`(`+tt.js+`)`, &wrong, func(p *runtime.EvaluateParams) *runtime.EvaluateParams {
			return p.WithAwaitPromise(true)
		}))
		if wrong != "" {
			t.Errorf("%s: %s", tt.name, wrong)
		}
	}
}
