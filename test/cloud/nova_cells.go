package cloud

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// DownCells says how Nova answers while a cell is down, where its configuration or its release makes a difference.
type DownCells struct {
	// FailLists answers 500 to each list that can't show the servers of a cell that is down (list_records_by_skipping_down_cells =
	// false). Otherwise such a list leaves them out, and is answered 200.
	FailLists bool
	// HistoryStatus is the status of an answer to a request for the instance actions of a server in such a cell: 500 if 0, as in
	// Nova's sources. 404 is what a proxy or a patched Nova makes of it.
	HistoryStatus int
}

// SetDownCells replaces Options.DownCells.
func (c *Cloud) SetDownCells(d DownCells) { c.alter(func() { c.opts.DownCells = d }) }

// SetCellDown says whether the Nova cell of these servers answers, as if they had a cell of their own.
func (c *Cloud) SetCellDown(down bool, ids ...string) {
	c.alter(func() {
		for _, id := range ids {
			if s := c.servers[id]; s != nil {
				s.hidden = down
			}
		}
	})
}

// MoveToCell puts servers into a cell. Nova itself puts each new server into one of Options.Cells, in turn.
func (c *Cloud) MoveToCell(cell string, ids ...string) {
	c.alter(func() {
		for _, id := range ids {
			if s := c.servers[id]; s != nil {
				s.cell = cell
			}
		}
	})
}

// TakeCellDown makes a cell's database unreachable for d, or until BringCellUp if d is 0. What the cell's computes do goes on.
func (c *Cloud) TakeCellDown(cell string, d time.Duration) {
	c.alter(func() { c.takeCellDown(cell, d) })
}

// TakeCellsDown is TakeCellDown for all cells.
func (c *Cloud) TakeCellsDown(d time.Duration) {
	c.alter(func() {
		for _, cell := range c.cells() {
			c.takeCellDown(cell, d)
		}
	})
}

// BringCellUp ends TakeCellDown of a cell.
func (c *Cloud) BringCellUp(cell string) { c.alter(func() { delete(c.downCells, cell) }) }

// BringCellsUp ends all that makes a cell unreachable.
func (c *Cloud) BringCellsUp() {
	c.alter(func() {
		clear(c.downCells)
		for _, s := range c.servers {
			s.hidden = false
		}
	})
}

func (c *Cloud) takeCellDown(cell string, d time.Duration) {
	outage := c.nextSeq()
	c.downCells[cell] = outage
	if d <= 0 {
		return
	}
	c.after(d, func() {
		if c.downCells[cell] == outage { // no later outage has begun
			delete(c.downCells, cell)
		}
	})
}

// cells returns the names of all cells: those of the options and those in which a server is.
func (c *Cloud) cells() []string {
	out := slices.Clone(c.opts.Cells)
	for _, s := range c.live.all() {
		if !slices.Contains(out, s.cell) {
			out = append(out, s.cell)
		}
	}
	return out
}

func (c *Cloud) nextCell() string {
	cell := c.opts.Cells[c.placements%len(c.opts.Cells)]
	c.placements++
	return cell
}

// unreachable reports whether a server's cell is down. A server that no cell has yet is in the API's own database.
func (c *Cloud) unreachable(s *server) bool {
	_, down := c.downCells[s.cell]
	return s.mapped && (s.hidden || down)
}

// anyCellDown reports whether a list would miss a cell.
func (c *Cloud) anyCellDown() bool {
	return len(c.downCells) > 0 || slices.ContainsFunc(c.live.all(), c.unreachable)
}

// cellError is what Nova's API makes of a cell that does not answer.
func cellError() *reply {
	return novaError(http.StatusInternalServerError, "Unexpected API Error. Please report this at http://bugs.launchpad.net/nova/ and attach the Nova API log if possible.\n<class 'nova.exception.NovaException'>")
}

// refuseDown returns the refusal of a request about one server whose cell is down, or nil. Only GET of the server itself knows of
// such cells, from 2.69: and it answers 404 as soon as the server's delete has been accepted, whether it was carried out or not.
func (c *Cloud) refuseDown(k *call) *reply {
	s := c.servers[k.id()]
	if s == nil || s.project != k.project || !c.unreachable(s) || !isServerPath(k.route.path) {
		return nil
	}
	switch {
	case strings.HasPrefix(k.route.op, "nova.instanceaction.") && c.opts.DownCells.HistoryStatus == http.StatusNotFound:
		return noServer(s.id)
	case k.route.op != "nova.server.get" || k.mv < 69:
		return cellError()
	case s.queuedForDelete:
		return noServer(s.id)
	}
	return nil
}

// isServerPath reports whether a path is that of one server, or leads through it.
func isServerPath(path []string) bool { return len(path) > 3 && path[2] == "servers" }

// downRows returns the servers of cells that are down which a list shows nevertheless: from 2.69, unless it is narrowed, sorted or paged.
// shown is how many others the page has.
func (c *Cloud) downRows(k *call, shown int) []*server {
	if !showsDownCells(k) {
		return nil
	}
	var out []*server
	for _, s := range c.serversOf(k.project) {
		if c.unreachable(s) && !s.queuedForDelete && len(out)+shown < c.novaLimit(k.query) {
			out = append(out, s)
		}
	}
	return out
}

// showsDownCells reports whether a list may have rows that say nothing but UNKNOWN. Parameters that Nova ignores for a member don't matter.
func showsDownCells(k *call) bool {
	if k.mv < 69 {
		return false
	}
	for key := range k.query {
		if from := narrowing[key]; from > 0 && from <= k.mv {
			return false
		}
	}
	return true
}

// narrowing are the parameters of a list that a member may use and that need the cell's database, with the microversion that brought them.
var narrowing = map[string]int{
	"limit": 1, "marker": 1, "sort_key": 1, "sort_dir": 1, "reservation_id": 1, "name": 1, "status": 1, "image": 1, "flavor": 1, "ip": 1,
	"changes-since": 1, "ip6": 5, "tags": 26, "tags-any": 26, "not-tags": 26, "not-tags-any": 26, "changes-before": 66, "locked": 73,
	"availability_zone": 83, "config_drive": 83, "key_name": 83, "created_at": 83, "launched_at": 83, "terminated_at": 83, "power_state": 83,
	"task_state": 83, "vm_state": 83, "progress": 83, "user_id": 83, "hostname": 90,
}

// writeDown writes what a list shows of a server whose cell is down.
func (c *Cloud) writeDown(w *jsonWriter, k *call, s *server, detail bool) {
	w.open('{')
	c.writeDownIdentity(w, k, s, detail)
	w.end('}')
}

func (c *Cloud) writeDownIdentity(w *jsonWriter, k *call, s *server, detail bool) {
	w.text("id", s.id)
	w.text("status", statusUnknown)
	if detail {
		w.text("tenant_id", s.project.id)
		w.time("created", s.created, layoutSeconds)
	}
	c.writeLinks(w, k, "servers", s.id, true)
}

// writeDownServer writes what a GET of one adds from the request that made the server. The power state is a constant, and no observation.
func (c *Cloud) writeDownServer(w *jsonWriter, k *call, s *server) {
	w.open('{')
	c.writeDownIdentity(w, k, s, true)
	c.writeImage(w, k, s)
	c.writeFlavor(w, k, s)
	zone := s.pinned
	setDefault(&zone, "UNKNOWN")
	w.text("OS-EXT-AZ:availability_zone", zone)
	w.number("OS-EXT-STS:power_state", 0)
	w.text("user_id", s.user.id)
	if k.mv >= 71 {
		w.value("server_groups", c.groupIDs(s))
	}
	w.end('}')
}

// groupIDs are the server groups of a server, as Nova shows them.
func (c *Cloud) groupIDs(s *server) []string {
	groups := []string{}
	if g := c.groupOf(s); g != nil {
		groups = append(groups, g.id)
	}
	return groups
}
