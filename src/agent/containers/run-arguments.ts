import type { RunSpecification } from "./runtime.ts";

/** The words by which docker or podman is told to start a container. */
export function runArguments(specification: RunSpecification): string[] {
  const { name, image, labels, publish, network, options, command } = specification;
  const places = specification.alsoOnIpv6 ? ["127.0.0.1", "[::1]"] : ["127.0.0.1"];
  return [
    ...["run", "--detach", "--name", name],
    ...Object.entries(labels).flatMap(([key, value]) => ["--label", `${key}=${value}`]),
    ...publish.flatMap((port) => places.flatMap((at) => ["--publish", `${at}::${port}`])),
    ...(network === undefined ? [] : ["--network", network]),
    ...options,
    image,
    ...command,
  ];
}

/** What errors must not repeat: of `--env=KEY=VALUE` both `KEY=VALUE` and `VALUE`. */
export function valuesIn({ options }: Pick<RunSpecification, "options">): string[] {
  return options.flatMap((word) => {
    const parts = word.split("=");
    return parts.map((_, place) => parts.slice(place + 1).join("="));
  });
}
