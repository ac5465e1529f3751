import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.MigrationInfo;
import org.flywaydb.core.api.configuration.FluentConfiguration;
import org.flywaydb.database.postgresql.PostgreSQLConfigurationExtension;

/**
 * Flyway as the tests' oracle: one command a line from the standard input, for as long as it lasts.
 *
 * <p>A line is a command and settings of Flyway's, with tabs between them: {@code migrate},
 * {@code flyway.url=...}, {@code flyway.locations=...}. The answer is some lines and then one that
 * begins with {@code DONE} or {@code FAILED}. {@code transactionalLock=true} takes the lock that
 * Flyway takes by itself, beside which no index can be built concurrently.
 */
public final class Oracle {
    public static void main(String[] arguments) throws Exception {
        BufferedReader orders =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = orders.readLine(); line != null; line = orders.readLine()) {
            try {
                carryOut(line.split("\t"));
                System.out.println("DONE");
            } catch (RuntimeException problem) {
                System.out.println("FAILED " + problem.getMessage().replace("\n", " "));
            }
            System.out.flush();
        }
    }

    private static void carryOut(String[] words) {
        Map<String, String> settings = new HashMap<>();
        for (int index = 1; index < words.length; index++) {
            int equals = words[index].indexOf('=');
            settings.put(words[index].substring(0, equals), words[index].substring(equals + 1));
        }
        String lock = settings.remove("transactionalLock");
        FluentConfiguration configuration = Flyway.configure().configuration(settings);
        configuration
                .getConfigurationExtension(PostgreSQLConfigurationExtension.class)
                .setTransactionalLock(Boolean.parseBoolean(lock));
        Flyway flyway = configuration.load();
        switch (words[0]) {
            case "migrate" -> flyway.migrate();
            case "validate" -> flyway.validate();
            case "repair" -> flyway.repair();
            case "baseline" -> flyway.baseline();
            case "undo" -> flyway.undo();
            case "info" -> {
                for (MigrationInfo one : flyway.info().all()) {
                    String version = one.getVersion() == null ? "R" : one.getVersion().toString();
                    System.out.println(version + "\t" + one.getDescription() + "\t" + one.getState());
                }
            }
            default -> throw new IllegalArgumentException("no such command: " + words[0]);
        }
    }
}
