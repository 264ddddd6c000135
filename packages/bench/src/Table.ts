/**
 * A report as tables, in Markdown. Pure.
 */
import * as Report from "./Report.ts"

/** For each size a table of medians with the ratio to each peer, and one of what variants cost. */
export const render = (report: Report.Report): string => {
  const lines = [
    `${report.machine}, ${report.date}. Medians of ${report.turns} ${report.turns === 1 ? "turn" : "turns"}; in brackets, how many times better ours is.`,
    "",
    ...report.engines.map(({ title, version }) => `- ${title}${version === "" ? "" : ` ${version}`}`)
  ]
  for (const size of report.sizes) {
    lines.push("", `## ${Report.count(size.entries)} entries`, "", ...sizeTable(size, report.engines))
    const costs = costTable(size, report.engines)
    if (costs.length > 0) lines.push("", ...costs)
  }
  return `${lines.join("\n")}\n`
}

const sizeTable = (size: Report.SizeReport, engines: ReadonlyArray<Report.Participant>): ReadonlyArray<string> => {
  const peers = engines.filter(({ variantOf }) => variantOf === undefined)
  return table([
    ["", "unit", ...peers.map(({ title }) => title)],
    ...size.rows.map((row) => [row.title, row.unit, ...peers.map(({ name }) => cell(row, name))])
  ])
}

const cell = (row: Report.Row, engine: Report.Participant["name"]): string => {
  const median = Report.medianOf(row, engine)
  if (median === undefined) return "–"
  const ratio = engine === "ours" ? undefined : Report.ratioTo(row, engine)
  return ratio === undefined ? Report.format(median) : `${Report.format(median)} (${Report.format(ratio)})`
}

const costTable = (size: Report.SizeReport, engines: ReadonlyArray<Report.Participant>): ReadonlyArray<string> => {
  const costs = engines.flatMap((variant) =>
    size.rows.flatMap((row) => {
      const cost = Report.costOf(row, variant)
      return cost === undefined ? [] : [[variant.title, row.title, `${(cost * 100).toFixed(1)} %`]]
    })
  )
  return costs.length === 0 ? [] : table([["", "", "takes longer by"], ...costs])
}

/** Rows of cells, the first one of titles; columns from the third on are numbers. */
const table = (rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
  const columns = (rows[0] ?? []).map((_, column) => Math.max(3, ...rows.map((row) => row[column]?.length ?? 0)))
  const [titles = [], ...rest] = rows.map((row) =>
    line(
      columns.map((width, column) =>
        column < 2 ? (row[column] ?? "").padEnd(width) : (row[column] ?? "").padStart(width)
      )
    )
  )
  const rule = line(columns.map((width, column) => (column < 2 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)))
  return [String(titles), rule, ...rest]
}

const line = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`
