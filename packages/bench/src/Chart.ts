/**
 * A report as a chart: for each of its main measures a panel with a bar for each engine. An
 * SVG that needs nothing else, and reads on light and on dark. Pure.
 */
import * as Report from "./Report.ts"

/** The chart of the size with the most measures, the larger one of two such. */
export const render = (report: Report.Report): string => {
  const [size] = report.sizes.toSorted(
    (left, right) => right.rows.length - left.rows.length || right.entries - left.entries
  )
  const engines = report.engines.filter(({ variantOf }) => variantOf === undefined)
  const rows = size?.rows.filter(({ isCharted }) => isCharted) ?? []
  const panelHeight = titleHeight + engines.length * barHeight + panelGap
  const height = headHeight + Math.ceil(rows.length / columns) * panelHeight
  const panels = rows.map((row, at) => {
    const x = margin + (at % columns) * (panelWidth + margin)
    const y = headHeight + Math.floor(at / columns) * panelHeight
    return `<g transform="translate(${x} ${y})">${panel(row, engines)}</g>`
  })
  const width = margin + columns * (panelWidth + margin)
  const head = `${size === undefined ? "" : `${Report.count(size.entries)} entries. `}${report.machine}, ${report.date}`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escape(`effect-bookie beside its peers: ${head}`)}</title>`,
    style,
    `<text class="head" x="${margin}" y="24">${escape(head)}</text>`,
    ...panels,
    "</svg>",
    ""
  ].join("\n")
}

/** In pixels. */
const columns = 3
const panelWidth = 380
const margin = 20
const headHeight = 44
const titleHeight = 24
const barHeight = 18
const panelGap = 18
const labelWidth = 104
const valueWidth = 60

const panel = (row: Report.Row, engines: ReadonlyArray<Report.Participant>): string => {
  const medians = engines.map(({ name }) => Report.medianOf(row, name))
  const largest = Math.max(...medians.map((median) => median ?? 0))
  const note = row.better === "less" ? `${row.unit}, less is better` : row.unit
  const bars = engines.map(({ name, title }, at) => {
    const y = titleHeight + at * barHeight
    const label = `<text class="label" x="${labelWidth - 6}" y="${y + 12}">${escape(title)}</text>`
    const median = medians[at]
    if (median === undefined) return `${label}<text class="none" x="${labelWidth}" y="${y + 12}">–</text>`
    const length = largest === 0 ? 0 : (median / largest) * (panelWidth - labelWidth - valueWidth)
    return (
      `${label}<rect class="${name === "ours" ? "ours" : "peer"}" x="${labelWidth}" y="${y + 2}" ` +
      `width="${Math.max(1, length).toFixed(1)}" height="${barHeight - 5}"/>` +
      `<text x="${(labelWidth + Math.max(1, length) + 5).toFixed(1)}" y="${y + 12}">${Report.format(median)}</text>`
    )
  })
  return `<text class="title" y="14">${escape(row.title)} <tspan class="none">${escape(note)}</tspan></text>${bars.join("")}`
}

const style = `<style>
text { font: 11px system-ui, sans-serif; fill: #24292f }
.head, .title { font-weight: 600; font-size: 12px }
.label { text-anchor: end }
.none { fill: #6e7781; font-weight: 400; font-size: 11px }
.ours { fill: #0969da }
.peer { fill: #afb8c1 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .none { fill: #8d96a0 }
  .ours { fill: #4493f8 }
  .peer { fill: #57606a }
}
</style>`

const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")
