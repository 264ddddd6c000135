package effectbookie;

import io.netty.buffer.ByteBuf;
import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import org.apache.bookkeeper.bookie.DefaultEntryLogger;
import org.apache.bookkeeper.bookie.LedgersMap;

/**
 * Reads, scans, indexes and writes directories of entry logs with Apache BookKeeper's own code, and
 * says as tab-separated values what BookKeeper makes of them. README.md has the commands.
 */
public final class Judge {
    private Judge() {
    }

    /** Runs one command, or with {@code batch} one a line of the standard input. */
    public static void main(String[] arguments) throws IOException {
        // It would report the buffers of the loggers that are left open on purpose.
        System.setProperty("io.netty.leakDetection.level", "disabled");
        boolean done = arguments.length == 1 && arguments[0].equals("batch")
                ? batch()
                : attempt(arguments, System.out);
        System.exit(done ? 0 : 1);
    }

    /** Each line is an output file, a command and its arguments, with tabs between. */
    private static boolean batch() throws IOException {
        boolean done = true;
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split("\t");
            try (OutputStream output = Files.newOutputStream(Path.of(words[0]))) {
                done &= attempt(Arrays.copyOfRange(words, 1, words.length), output);
            }
        }
        return done;
    }

    private static boolean attempt(String[] command, OutputStream output) {
        PrintStream out = new PrintStream(new BufferedOutputStream(output, 1 << 16), false, StandardCharsets.UTF_8);
        try {
            run(command, out);
            return true;
        } catch (Exception failure) {
            System.err.println("failed: " + String.join(" ", command));
            failure.printStackTrace();
            return false;
        } finally {
            out.flush();
        }
    }

    private static void run(String[] command, PrintStream out) throws Exception {
        switch (String.join(" ", command[0], String.valueOf(command.length - 1))) {
            case "read 1" -> read(Path.of(command[1]), System.in::readAllBytes, out);
            case "read 2" -> read(Path.of(command[1]), () -> Files.readAllBytes(Path.of(command[2])), out);
            case "scan 1" -> scan(Path.of(command[1]), out);
            case "meta 1" -> meta(Path.of(command[1]), out);
            case "rebuild 2" -> Rebuild.run(Path.of(command[1]), Path.of(command[2]), out);
            case "write 2" -> Writing.run(Path.of(command[1]), Long.parseLong(command[2]), false, out);
            case "write-direct 2" -> Writing.run(Path.of(command[1]), Long.parseLong(command[2]), true, out);
            case "digest 1" -> Digests.run(Path.of(command[1]), out);
            default -> throw new IllegalArgumentException(
                    "read DIR [TSV] | scan DIR | meta DIR | rebuild DIR INDEXDIR | write DIR SEED"
                            + " | write-direct DIR SEED | digest TSV | batch");
        }
    }

    /** Reads each ledger, entry and location of a table; what more a line has is left aside. */
    private static void read(Path directory, Input input, PrintStream out) throws IOException {
        try (LogDirectory logs = new LogDirectory(directory); DefaultEntryLogger logger = logs.open()) {
            out.println(Row.HEADER);
            for (String line : new String(input.readAll(), StandardCharsets.UTF_8).split("\n")) {
                String[] fields = line.split("\t");
                if (fields[0].isEmpty() || fields[0].equals("ledger")) {
                    continue;
                }
                out.println(read(logger, Long.parseLong(fields[0]), Long.parseLong(fields[1]),
                        Long.parseLong(fields[2])));
            }
        }
    }

    private static String read(DefaultEntryLogger logger, long ledgerId, long entryId, long location) {
        try {
            ByteBuf entry = logger.readEntry(ledgerId, entryId, location);
            try {
                return Row.of(location, entry).toString();
            } finally {
                entry.release();
            }
        } catch (IOException failure) {
            Throwable reason = failure.getCause() == null ? failure : failure.getCause();
            return String.join("\t", Long.toString(ledgerId), Long.toString(entryId), Long.toString(location), "-",
                    String.valueOf(reason.getMessage()));
        }
    }

    private static void scan(Path directory, PrintStream out) throws IOException {
        try (LogDirectory logs = new LogDirectory(directory); DefaultEntryLogger logger = logs.open()) {
            out.println(Row.HEADER);
            LogDirectory.scan(logger, (location, entry) -> out.println(Row.of(location, entry)));
        }
    }

    /** The bytes of each ledger in each log, from the log's ledgers map. */
    private static void meta(Path directory, PrintStream out) throws IOException {
        try (LogDirectory logs = new LogDirectory(directory); DefaultEntryLogger logger = logs.open()) {
            out.println("log\tledger\tbytes");
            for (long logId : logger.getEntryLogsSet()) {
                Map<Long, Long> ledgers = new TreeMap<>();
                try {
                    LedgersMap.read(logger, logId).getLedgersMap().forEach(ledgers::put);
                } catch (IOException | IndexOutOfBoundsException failure) {
                    out.println(logId + "\t-\t" + failure.getMessage());
                    continue;
                }
                ledgers.forEach((ledgerId, bytes) -> out.println(logId + "\t" + ledgerId + "\t" + bytes));
            }
        }
    }

    private interface Input {
        byte[] readAll() throws IOException;
    }
}
