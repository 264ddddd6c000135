/**
 * What a scope acquired and released, and in which order.
 */
export * as Lifecycle from "./Lifecycle.ts"
export * as MetricSeries from "./MetricSeries.ts"
export * as Shutdown from "./Shutdown.ts"
export * as Timer from "./Timer.ts"
