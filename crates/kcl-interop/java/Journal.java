import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** What a worker did, a line for each thing, in the format of {@code src/journal.rs}. */
final class Journal {
    private final BufferedWriter file;

    Journal(Path path) throws IOException {
        file = Files.newBufferedWriter(
                path, StandardCharsets.UTF_8, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    /** Lines of one call stay together, and are with the operating system when it returns. */
    synchronized void append(Iterable<String> lines) {
        try {
            for (String line : lines) {
                file.write(line);
                file.write('\n');
            }
            file.flush();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    static String line(String event, String shard, String sequence, long subSequence, String id) {
        String position = isNumber(sequence) ? new BigInteger(sequence).toString() : sequence;
        return String.join(
                "\t",
                Long.toString(System.currentTimeMillis()),
                event,
                shard,
                position,
                Long.toString(subSequence),
                id);
    }

    static String line(String event, String shard) {
        return line(event, shard, "-", 0, "-");
    }

    private static boolean isNumber(String text) {
        return !text.isEmpty() && text.chars().allMatch(digit -> digit >= '0' && digit <= '9');
    }
}
