import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.StringDeserializer;

/** A team's own system, which hears what concerns the team. It needs kafka-clients and nothing of Outrider. */
public class Subscriber {
    static final String LOGIN =
            "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"%s\" password=\"%s\";";

    public static void main(String[] arguments) throws Exception {
        String team = System.getenv("TEAM");
        Map<String, String> secret = new HashMap<>(); // a flat JSON object of texts
        Pattern.compile("\"(\\w+)\": \"([^\"]*)\"").matcher(Files.readString(Path.of(System.getenv("KAFKA_SECRET"))))
                .results().forEach(found -> secret.put(found.group(1), found.group(2)));
        Map<String, Object> settings = Map.of(
                "bootstrap.servers", secret.get("bootstrap_servers"),
                "security.protocol", secret.get("security_protocol"),
                "sasl.mechanism", secret.get("sasl_mechanism"),
                "sasl.jaas.config", LOGIN.formatted(secret.get("username"), secret.get("password")),
                "group.id", "outrider.team." + team + ".subscriber-java",
                "enable.auto.commit", false,
                "auto.offset.reset", "earliest");
        Set<String> known = new HashSet<>(); // in earnest kept with the work's result, in one transaction
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of("outrider.team." + team + ".events.v1"));
            while (true) {
                var records = consumer.poll(Duration.ofSeconds(1));
                for (var record : records) {
                    Header id = record.headers().lastHeader("ce_id"), type = record.headers().lastHeader("ce_type");
                    if (id != null && known.add(text(id))) { // OpenLineage events lie here too; they have no ce_ headers
                        System.out.printf("%s\t%s\t%s%n", text(id), text(type), record.value()); // the work
                    }
                }
                if (!records.isEmpty()) {
                    consumer.commitSync(); // after the work: killed in between, records come again, and are known
                }
            }
        } catch (AuthorizationException refused) { // has no stack trace, which `java Subscriber.java` needs to show it
            System.err.println(refused);
            System.exit(1);
        }
    }

    static String text(Header header) {
        return new String(header.value(), StandardCharsets.UTF_8);
    }
}
