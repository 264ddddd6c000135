/**
 * `GET /metrics` on the loopback interface, for as long as the scope.
 */
import { NodeHttpServer } from "@effect/platform-node"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import { createServer } from "node:http"

/** Serves the metrics of the process. */
export const layer = (port: number) =>
  HttpRouter.serve(PrometheusMetrics.layerHttp(), { disableLogger: true }).pipe(
    Layer.provide(NodeHttpServer.layer(createServer, { port, host: "127.0.0.1", gracefulShutdownTimeout: "2 seconds" }))
  )
