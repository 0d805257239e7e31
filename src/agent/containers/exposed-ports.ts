import type { TrafficPort } from "./traffic.ts";

/** What an image's EXPOSE comes to where nobody has named a port. */
export interface ExposedPorts {
  ports: TrafficPort[];
  exposed: string;
  level: "info" | "warn";
  message: string;
}

/** The only port an image exposes is served on the same port of this host; of several, none is. */
export function onlyExposed(exposed: readonly number[]): ExposedPorts {
  const [first, ...more] = exposed;
  const listed = exposed.join(",");
  if (first === undefined) {
    const message = "The image exposes no port, and runs as a worker";
    return { ports: [], exposed: "none", level: "info", message };
  }
  if (more.length > 0) {
    const message =
      "The image exposes several ports, and none is served: name those that are meant, by --port";
    return { ports: [], exposed: listed, level: "warn", message };
  }
  const message = "The port the image exposes is served on the same port of this host";
  const ports = [{ port: first, containerPort: first }];
  return { ports, exposed: listed, level: "info", message };
}
