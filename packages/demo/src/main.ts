/**
 * The main program. See `npm run demo -- --help`.
 *
 * It exits 0 only if every comparison held, and releases everything in order
 * whether it ends, fails, or is told to stop.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import * as Cause from "effect/Cause"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Runtime from "effect/Runtime"
import { run } from "./Run.ts"
import * as Serving from "./Serving.ts"

let serving = false

const demo = Command.make(
  "demo",
  {
    files: Argument.Path("file", { mustExist: true }).pipe(
      Argument.withDescription("Files, and directories of files, to store; by default this repository's own"),
      Argument.variadic()
    ),
    data: Flag.Directory("data").pipe(
      Flag.withDescription("Keep the entry logs and the index here, and go on where the last run was"),
      Flag.optional
    ),
    serve: Flag.Boolean("serve").pipe(
      Flag.withDescription("Keep running with GET /metrics on 127.0.0.1 until SIGINT or SIGTERM"),
      Flag.withDefault(false)
    ),
    port: Flag.Int("port").pipe(Flag.withDescription("The port of --serve"), Flag.withDefault(9464))
  },
  Effect.fnUntraced(function* ({ data, files, port, serve }) {
    const path = yield* Path.Path
    const directory = Option.isSome(data) ? path.resolve(data.value) : yield* temporaryDirectory
    yield* run(directory, files, serve ? keepServing(port) : Effect.void)
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Stores files as ledgers of entries, reads every line back through the index, and compares it byte for byte"
  )
)

const temporaryDirectory = FileSystem.FileSystem.use((fs) =>
  fs.makeTempDirectoryScoped({ prefix: "effect-bookie-demo-" })
)

const keepServing = (port: number) =>
  Effect.gen(function* () {
    serving = true
    yield* Console.log(`serving    http://127.0.0.1:${port}/metrics until SIGINT or SIGTERM`)
    return yield* Effect.never
  }).pipe(Effect.provide(Serving.layer(port)))

/** To stop a server is how it ends well. */
const teardown: Runtime.Teardown = (exit, onExit) => {
  if (serving && Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)) return onExit(0)
  Runtime.defaultTeardown(exit, onExit)
}

Command.run(demo, { version: "0.1.0" }).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain({ teardown }))
