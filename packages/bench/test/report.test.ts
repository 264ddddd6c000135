import { assert, describe, it } from "@effect/vitest"
import * as Chart from "../src/Chart.ts"
import { measures } from "../src/measures.ts"
import * as Report from "../src/Report.ts"
import * as Table from "../src/Table.ts"

const rate = { id: "read lookup-one", title: "lookup", unit: "k/s", better: "more", isCharted: true } as const
const time = { id: "add open", title: "open", unit: "ms", better: "less", isCharted: false } as const

const report: Report.Report = {
  date: "2026-11-24",
  machine: "2 × CPU",
  turns: 5,
  seed: 1,
  engines: [
    { name: "ours", title: "ours", version: "0.1.0" },
    { name: "lmdb", title: "lmdb", version: "3.5.6" },
    { name: "bookkeeper", title: "BookKeeper <Java>", version: "4.17.3" },
    { name: "ours-metrics", title: "ours, with metrics", version: "", variantOf: "ours" }
  ],
  sizes: [
    {
      entries: 1e6,
      rows: [
        { ...rate, values: { ours: [1, 900, 3000, 1000, 1100], lmdb: [500, 400], "ours-metrics": [800] } },
        { ...time, values: { ours: [10, 30, 20], lmdb: [2], bookkeeper: [1234] } }
      ]
    }
  ]
}

const [lookup, open] = report.sizes[0]?.rows ?? []

describe("Report", () => {
  it("takes the median of an odd and of an even number of turns, and of none", () => {
    assert(lookup !== undefined)
    assert.strictEqual(Report.medianOf(lookup, "ours"), 1000)
    assert.strictEqual(Report.medianOf(lookup, "lmdb"), 450)
    assert.isUndefined(Report.medianOf(lookup, "bookkeeper"))
  })

  it("says how many times better ours is, where more is better and where less is", () => {
    assert(lookup !== undefined && open !== undefined)
    assert.approximately(Report.ratioTo(lookup, "lmdb") ?? 0, 1000 / 450, 1e-9)
    assert.approximately(Report.ratioTo(open, "lmdb") ?? 0, 0.1, 1e-9)
    assert.isUndefined(Report.ratioTo(lookup, "bookkeeper"))
  })

  it("says how much longer a variant takes", () => {
    const variant = report.engines[3]
    assert(lookup !== undefined && open !== undefined && variant !== undefined)
    assert.approximately(Report.costOf(lookup, variant) ?? 0, 0.25, 1e-9)
    assert.isUndefined(Report.costOf(open, variant))
  })

  it("formats three digits", () => {
    const values = [0, 0.0181, 1.234, 45.67, 678.9, 12_345.6]
    assert.deepStrictEqual(values.map(Report.format), ["0", "0.02", "1.23", "45.7", "679", "12,346"])
    assert.deepStrictEqual([50, 100_000, 2_500_000].map(Report.count), ["50", "100 k", "2.5 M"])
  })
})

describe("Table", () => {
  it("has a line a measure and a column a peer, with the ratio in brackets", () => {
    const lines = Table.render(report).split("\n")
    assert.include(lines, "|        | unit |  ours |        lmdb | BookKeeper <Java> |")
    assert.include(lines, "| lookup | k/s  | 1,000 |  450 (2.22) |                 – |")
    assert.include(lines, "| open   | ms   |  20.0 | 2.00 (0.10) |      1,234 (61.7) |")
  })

  it("says what a variant costs in a table of its own", () => {
    assert.include(Table.render(report), "| ours, with metrics | lookup |          25.0 % |")
  })

  it("says where, when and with which versions", () => {
    const text = Table.render(report)
    for (const part of ["2 × CPU", "2026-11-24", "5 turns", "lmdb 3.5.6", "## 1 M entries"]) assert.include(text, part)
  })
})

describe("Chart", () => {
  it("has a panel for each charted measure, and a bar for each engine that took part", () => {
    const svg = Chart.render(report)
    assert.lengthOf(svg.match(/<rect /g) ?? [], 2)
    assert.lengthOf(svg.match(/class="ours"/g) ?? [], 1)
    assert.include(svg, ">1,000</text>")
    assert.notInclude(svg, "open")
  })

  it("scales bars to the largest one", () => {
    const widths = [...Chart.render(report).matchAll(/<rect [^>]* width="([\d.]+)"/g)].map((match) => Number(match[1]))
    assert.approximately((widths[1] ?? 0) / (widths[0] ?? 0), 0.45, 0.001)
  })

  it("escapes what is text", () => {
    const svg = Chart.render(report)
    assert.include(svg, "BookKeeper &lt;Java&gt;")
    assert.notInclude(svg, "<Java>")
  })
})

describe("measures", () => {
  it("have ids of their own, and name the ledgers", () => {
    const all = measures({ ledgers: [1000, 10_000, 100_000], deletedEntries: 1e6 })
    assert.strictEqual(new Set(all.map(({ id }) => id)).size, all.length)
    assert.isTrue(all.some(({ title }) => title === "add, synced, 100 k ledgers"))
  })
})
