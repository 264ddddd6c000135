/**
 * Everything that is measured, in the order of the tables. Pure.
 */
import type { Options } from "./Options.ts"
import { count, type Measure } from "./Report.ts"

/** The measures of a run. The id is the work, or `read`, and what it measures. */
export const measures = ({ deletedEntries, ledgers }: Pick<Options, "ledgers" | "deletedEntries">): Array<Measure> => {
  const widths = (["add", "add-wide", "add-widest"] as const).map((work, at) => ({
    work,
    over: `${count(ledgers[at] ?? 0)} ledgers`
  }))
  const narrow = widths[0]?.over
  return [
    ...widths.map(({ over, work }) => rate(`${work} add`, `add, synced, ${over}`)),
    rate("read lookup-many", "lookup, 1,000 at a time"),
    rate("read lookup-one", "lookup, one at a time"),
    rate("read lookup-cold", "lookup, cache 5 %, any entries"),
    rate("read lookup-runs", "lookup, cache 5 %, runs of 100"),
    rate("read scan", "entries of a ledger"),
    rate("read columns", "entries of a ledger, in columns"),
    rate("read last", "last entry"),
    cost("read delete", `delete a ledger of ${count(deletedEntries)}`, "ms"),
    ...widths.map(({ over, work }) => cost(`${work} open`, `open, ${over}`, "ms")),
    ...widths.map(({ over, work }) => cost(`${work} close`, `close after adding, ${over}`, "ms")),
    ...widths.map(({ over, work }) => cost(`${work} disk`, `on disk at close, ${over}`, "bytes/entry")),
    charted(cost("read compacted", `on disk, compacted, ${narrow}`, "bytes/entry")),
    ...widths.map(({ over, work }) => cost(`${work} memory`, `peak memory, adding, ${over}`, "MiB")),
    charted(cost("read memory", "peak memory, reading", "MiB")),
    charted(cost("read loop-p99", "event loop delay, p99", "ms")),
    cost("read loop-max", "event loop delay, longest", "ms")
  ]
}

const rate = (id: string, title: string): Measure => ({ id, title, unit: "k/s", better: "more", isCharted: true })

const cost = (id: string, title: string, unit: string): Measure => ({
  id,
  title,
  unit,
  better: "less",
  isCharted: false
})

const charted = (measure: Measure): Measure => ({ ...measure, isCharted: true })
