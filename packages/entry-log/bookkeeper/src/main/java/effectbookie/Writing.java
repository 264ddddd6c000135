package effectbookie;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.apache.bookkeeper.bookie.DefaultEntryLogger;
import org.apache.bookkeeper.bookie.storage.CompactionEntryLog;
import org.apache.bookkeeper.bookie.storage.EntryLogger;
import org.apache.bookkeeper.bookie.storage.directentrylogger.DirectEntryLogger;
import org.apache.bookkeeper.bookie.storage.directentrylogger.EntryLogIdsImpl;
import org.apache.bookkeeper.common.util.nativeio.NativeIOImpl;
import org.apache.bookkeeper.conf.ServerConfiguration;
import org.apache.bookkeeper.slogger.slf4j.Slf4jSlogger;
import org.apache.bookkeeper.stats.NullStatsLogger;

/**
 * Random logs that a bookie might leave: several starts, ledgers side by side, entries out of order,
 * written again, empty and large, ids at both ends of their range, and compactions that ended well
 * or did not. The same seed writes the same entries.
 */
final class Writing {
    private static final int MAX_LOG_SIZE = 128 * 1024;
    private static final int MAX_PAYLOAD = 100 * 1024;

    private final Random random;
    private final boolean direct;
    private final PrintStream out;
    private final long[] ledgerIds;
    private final long[] nextEntryIds;
    /** What has been written: ledger id, entry id, location. */
    private final List<long[]> written = new ArrayList<>();
    private boolean manyLedgers;

    private Writing(long seed, boolean direct, PrintStream out) {
        this.random = new Random(seed);
        this.direct = direct;
        this.out = out;
        this.ledgerIds = random.longs(1 + random.nextInt(12), 0, Long.MAX_VALUE)
                .map(id -> id >>> random.nextInt(63)).toArray();
        this.ledgerIds[0] = random.nextBoolean() ? 0 : Long.MAX_VALUE;
        this.nextEntryIds = random.longs(ledgerIds.length, 0, 1L << 33)
                .map(id -> id >>> random.nextInt(34)).toArray();
    }

    /** Adds to the logs in a directory, which is created if need be, and prints each entry as it is written. */
    static void run(Path directory, long seed, boolean direct, PrintStream out) throws Exception {
        Files.createDirectories(directory);
        try (LogDirectory logs = new LogDirectory(directory)) {
            Writing writing = new Writing(seed, direct, out);
            out.println(Row.HEADER);
            // Every fifth seed begins with a log whose ledgers map has two parts.
            writing.manyLedgers = seed % 5 == 0;
            int starts = 1 + writing.random.nextInt(3);
            for (int start = 0; start < starts; start++) {
                writing.start(logs);
                writing.manyLedgers = false;
            }
        }
    }

    private void start(LogDirectory logs) throws Exception {
        ServerConfiguration configuration = logs.configuration();
        configuration.setEntryLogSizeLimit(
                manyLedgers ? 1024 * 1024 : (direct ? 64 : 8) * 1024 + random.nextInt(MAX_LOG_SIZE));
        // A bookie's default: the file of the next log is created, and empty, before it is needed.
        configuration.setEntryLogFilePreAllocationEnabled(random.nextBoolean());
        if (direct) {
            withDirectLogger(logs, configuration);
        } else {
            try (DefaultEntryLogger logger = logs.open(configuration)) {
                addEntries(logger);
                compact(logger);
                logger.flush();
            }
        }
    }

    private void withDirectLogger(LogDirectory logs, ServerConfiguration configuration) throws Exception {
        ExecutorService writes = Executors.newSingleThreadExecutor();
        ExecutorService flushes = Executors.newSingleThreadExecutor();
        Slf4jSlogger slogger = new Slf4jSlogger(Writing.class);
        int bufferSize = 256 * 1024;
        EntryLogger logger = new DirectEntryLogger(logs.currentDirectory(),
                new EntryLogIdsImpl(logs.ledgerDirs(configuration), slogger), new NativeIOImpl(),
                PooledByteBufAllocator.DEFAULT, writes, flushes, configuration.getEntryLogSizeLimit(),
                configuration.getNettyMaxFrameSizeBytes() - 500, 8 * bufferSize, bufferSize, bufferSize, 1, 60,
                slogger, NullStatsLogger.INSTANCE);
        addEntries(logger);
        logger.flush();
        // This logger seals its last log when it closes; half the time it is left open, as a kill would leave it.
        if (random.nextBoolean()) {
            logger.close();
        }
        flushes.shutdown();
        flushes.awaitTermination(1, TimeUnit.MINUTES);
        writes.shutdown();
        writes.awaitTermination(1, TimeUnit.MINUTES);
    }

    private void addEntries(EntryLogger logger) throws IOException {
        if (manyLedgers) {
            int ledgers = 10_001 + random.nextInt(5000);
            for (int ledger = 0; ledger < ledgers; ledger++) {
                add(logger, 1_000_000 + ledger * 3L, random.nextInt(10), random.nextInt(20));
            }
            for (int large = 0; large < 12; large++) {
                add(logger, 1, large, MAX_PAYLOAD);
            }
        }
        int count = random.nextInt(1200);
        for (int index = 0; index < count; index++) {
            long[] ids = nextIds();
            boolean rolledOver = add(logger, ids[0], ids[1], nextSize());
            // The direct logger waits for ever when many small logs are to be sealed at once.
            if (random.nextInt(150) == 0 || direct && rolledOver) {
                logger.flush();
            }
        }
    }

    private long[] nextIds() {
        int choice = random.nextInt(100);
        if (choice < 5 && !written.isEmpty()) {
            return written.get(random.nextInt(written.size()));
        }
        int ledger = random.nextInt(ledgerIds.length);
        if (choice < 7) {
            return new long[] {ledgerIds[ledger], random.nextBoolean() ? 0 : Long.MAX_VALUE};
        }
        nextEntryIds[ledger] += choice < 10 ? random.nextInt(1000) : 1;
        return new long[] {ledgerIds[ledger], nextEntryIds[ledger]};
    }

    private int nextSize() {
        int choice = random.nextInt(200);
        return choice < 10 ? 0 : choice < 190 ? random.nextInt(300) : choice < 199 ? random.nextInt(5000)
                : random.nextInt(MAX_PAYLOAD);
    }

    /** Says whether the entry is in another log than the one before. */
    private boolean add(EntryLogger logger, long ledgerId, long entryId, int size) throws IOException {
        byte[] payload = new byte[size];
        random.nextBytes(payload);
        ByteBuf entry = Unpooled.buffer(16 + size).writeLong(ledgerId).writeLong(entryId).writeBytes(payload);
        return record(logger.addEntry(ledgerId, entry), entry);
    }

    private boolean record(long location, ByteBuf entry) {
        // The logger has read the entry to its end.
        Row row = Row.of(location, entry.readerIndex(0));
        boolean rolledOver = !written.isEmpty() && written.get(written.size() - 1)[2] >> 32 != location >> 32;
        written.add(new long[] {row.ledgerId(), row.entryId(), location});
        out.println(row);
        return rolledOver;
    }

    /** Copies the entries of the oldest log to a new one, and gets as far with it as the seed will have it. */
    private void compact(DefaultEntryLogger logger) throws Exception {
        int steps = random.nextInt(6);
        if (steps == 0 || written.isEmpty()) {
            return;
        }
        logger.flush();
        long oldest = written.get(0)[2] >> 32;
        CompactionEntryLog compaction = logger.newCompactionLog(oldest);
        List<Long> locations = new ArrayList<>();
        List<ByteBuf> entries = new ArrayList<>();
        for (long[] entry : List.copyOf(written)) {
            if (entry[2] >> 32 == oldest) {
                entries.add(logger.readEntry(entry[0], entry[1], entry[2]));
                locations.add(compaction.addEntry(entry[0], entries.get(entries.size() - 1)));
            }
        }
        if (steps >= 2) {
            compaction.flush();
        }
        if (steps >= 3) {
            compaction.markCompacted();
        }
        if (steps >= 4) {
            compaction.makeAvailable();
            for (int index = 0; index < entries.size(); index++) {
                record(locations.get(index), entries.get(index));
            }
        }
        if (steps >= 5) {
            compaction.finalizeAndCleanup();
        }
        entries.forEach(ByteBuf::release);
    }
}
