import { ConfigError } from "../../base/errors.ts";
import { parsePorts } from "../supervisor/port-range.ts";

/** Connections to `port` of this host go to `containerPort` of the replicas. */
export interface PortMapping {
  port: number;
  /** `undefined` where nobody has said: an app of its own listens on `port` itself. */
  containerPort: number | undefined;
}

/**
 * Reads `--port` values: ports and ranges as `parsePorts` takes them, and `PORT:CONTAINER_PORT`.
 * Sorted by port, each port once.
 *
 * @throws {ConfigError} with a sentence about the piece that is none of these
 */
export function parsePortMappings(values: readonly string[]): PortMapping[] {
  const pieces = values.flatMap((value) => value.split(",")).map((piece) => piece.trim());
  const mapped = pieces.filter((piece) => piece.includes(":"));
  const ports = parsePorts(pieces.filter((piece) => !piece.includes(":")));
  const mappings = [
    ...ports.map((port) => ({ port, containerPort: undefined })),
    ...mapped.map(parseMapping),
  ].sort((a, b) => a.port - b.port);
  const twice = mappings.find(({ port }, place) => mappings[place - 1]?.port === port);
  if (!twice) return mappings;
  throw new ConfigError(`port ${twice.port} leads to two places`, {
    hint: "leave one of them out",
  });
}

function parseMapping(piece: string): PortMapping {
  const [port, containerPort, ...more] = piece.split(":");
  if (!port || !containerPort || more.length > 0) {
    throw new ConfigError(`not a port: "${piece}"`, {
      hint: "write the port of this host and that of the container, such as 80:8080",
    });
  }
  const [outer] = parsePorts([port]);
  const [inner] = parsePorts([containerPort]);
  if (port.includes("-") || containerPort.includes("-")) {
    throw new ConfigError(`"${piece}" maps a range`, { hint: "write each port by itself" });
  }
  return { port: outer ?? 0, containerPort: inner };
}
