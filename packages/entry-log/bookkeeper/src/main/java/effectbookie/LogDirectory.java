package effectbookie;

import io.netty.buffer.ByteBuf;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.bookkeeper.bookie.BookieImpl;
import org.apache.bookkeeper.bookie.DefaultEntryLogger;
import org.apache.bookkeeper.bookie.LedgerDirsManager;
import org.apache.bookkeeper.bookie.storage.EntryLogScanner;
import org.apache.bookkeeper.conf.ServerConfiguration;
import org.apache.bookkeeper.util.DiskChecker;

/**
 * A directory of entry logs, where BookKeeper looks for one: it keeps its logs in a folder
 * {@code current} of a ledger directory, so a temporary ledger directory has a link of that name to
 * the real one. Nothing is written to the real one unless a logger is asked to add an entry.
 */
final class LogDirectory implements AutoCloseable {
    private final Path parent;

    LogDirectory(Path directory) throws IOException {
        if (!Files.isDirectory(directory)) {
            throw new IOException(directory + " is not a directory");
        }
        parent = Files.createTempDirectory("bookkeeper-judge-");
        Files.createSymbolicLink(current(), directory.toAbsolutePath());
    }

    /** BookKeeper's default configuration with this as the one ledger directory. */
    ServerConfiguration configuration() {
        return new ServerConfiguration().setLedgerDirNames(new String[] {parent.toString()});
    }

    LedgerDirsManager ledgerDirs(ServerConfiguration configuration) throws IOException {
        return new LedgerDirsManager(configuration, configuration.getLedgerDirs(),
                new DiskChecker(configuration.getDiskUsageThreshold(), configuration.getDiskUsageWarnThreshold()));
    }

    DefaultEntryLogger open() throws IOException {
        return open(configuration());
    }

    DefaultEntryLogger open(ServerConfiguration configuration) throws IOException {
        return new DefaultEntryLogger(configuration, ledgerDirs(configuration));
    }

    /** What BookKeeper finds in all logs, by log id, then position. */
    static void scan(DefaultEntryLogger logger, EntryConsumer consumer) throws IOException {
        for (long logId : logger.getEntryLogsSet()) {
            logger.scanEntryLog(logId, new EntryLogScanner() {
                @Override
                public boolean accept(long ledgerId) {
                    return ledgerId >= 0;
                }

                @Override
                public void process(long ledgerId, long offset, ByteBuf entry) throws IOException {
                    // The offset is that of the size field, a location that of the byte after it.
                    consumer.accept(logId << 32 | (offset + 4), entry);
                }
            });
        }
    }

    /** Takes an entry and its location. */
    interface EntryConsumer {
        void accept(long location, ByteBuf entry) throws IOException;
    }

    /** The folder that BookKeeper takes as the directory of the logs. */
    File currentDirectory() {
        return BookieImpl.getCurrentDirectory(parent.toFile());
    }

    private Path current() {
        return currentDirectory().toPath();
    }

    @Override
    public void close() throws IOException {
        Files.delete(current());
        Files.delete(parent);
    }
}
