/**
 * A histogram of durations: plain numbers, updated in place, which a metric
 * series reads at each scrape.
 */
import * as Metric from "effect/Metric"
import * as MetricSeries from "./MetricSeries.ts"

/** A histogram of durations in seconds. */
export interface Durations {
  readonly count: number
  readonly sum: number
  readonly min: number
  readonly max: number
  /** How many durations were not above each of the {@link boundaries}. */
  readonly buckets: () => ReadonlyArray<[boundary: number, count: number]>
}

/** The boundaries of the buckets, in seconds. */
export const boundaries: ReadonlyArray<number> = [
  1e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1, 2.5, 5, 10
]

/** A histogram that can be added to. */
export class Timer implements Durations {
  count = 0
  sum = 0
  min = Number.MAX_VALUE
  max = -Number.MAX_VALUE
  readonly #buckets = new Float64Array(boundaries.length + 1)

  /** Adds so many durations of so many seconds. */
  record(seconds: number, times = 1): void {
    this.count += times
    this.sum += seconds * times
    if (seconds < this.min) this.min = seconds
    if (seconds > this.max) this.max = seconds
    let bucket = 0
    while (seconds > (boundaries[bucket] ?? Infinity)) bucket += 1
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + times
  }

  /** Adds what has passed since a moment of `performance.now()`, which is in milliseconds. */
  recordSince(start: number): void {
    this.record((performance.now() - start) / 1000)
  }

  buckets = (): ReadonlyArray<[boundary: number, count: number]> => {
    let count = 0
    return boundaries.map((boundary, at) => {
      count += this.#buckets[at] ?? 0
      return [boundary, count]
    })
  }
}

/** The series of a histogram, whose state is read at each scrape. */
export const series = (
  name: string,
  { attributes, description }: MetricSeries.Options,
  durations: Durations
): MetricSeries.Series =>
  MetricSeries.make(Metric.histogram(name, { attributes, boundaries, description }), () => ({
    buckets: durations.buckets(),
    count: durations.count,
    sum: durations.sum,
    min: durations.min,
    max: durations.max
  }))
