import io.openlineage.client.OpenLineage;
import io.openlineage.client.OpenLineageClientUtils;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;

/** A platform's catalogue: OpenLineage's own Java model reads `outrider.lineage.v1`; nothing of Outrider is needed. */
public class Catalogue {
    public static void main(String[] arguments) throws Exception {
        var settings = new Properties(); // Kafka's own: bootstrap.servers, group.id, sasl.jaas.config …
        try (var file = Files.newBufferedReader(Path.of(System.getenv("KAFKA_PROPERTIES")))) {
            settings.load(file);
        }
        settings.putAll(Map.of("enable.auto.commit", "false", "auto.offset.reset", "earliest"));
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of("outrider.lineage.v1"));
            while (true) {
                var records = consumer.poll(Duration.ofSeconds(1));
                for (var record : records) {
                    var event = OpenLineageClientUtils.runEventFromJson(record.value());
                    System.out.println(String.join("\t", // the work
                            event.getRun().getRunId().toString(), event.getEventType().toString(),
                            event.getJob().getNamespace() + "/" + event.getJob().getName(),
                            versions(event.getInputs()), versions(event.getOutputs())));
                }
                if (!records.isEmpty()) {
                    consumer.commitSync(); // after the work; an event that comes again says the same of the same run
                }
            }
        }
    }

    /** The very version where one is told, else the dataset. */
    static String versions(List<? extends OpenLineage.Dataset> datasets) {
        return datasets.stream().map(dataset -> {
            var facets = dataset.getFacets();
            var version = facets == null ? null : facets.getVersion();
            return version == null ? dataset.getNamespace() + "/" + dataset.getName() : version.getDatasetVersion();
        }).collect(Collectors.joining(" "));
    }
}
