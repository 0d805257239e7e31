export const defaultAdminPort = 17_539;

/** As the original: several agents on one host take the ports one after the other. */
export const triedPorts = 10;

/** Those that an agent may listen on, when it was told to begin with `first`. */
export function adminPortsFrom(first: number): number[] {
  return Array.from({ length: triedPorts }, (_, place) => first + place).filter(
    (port) => port <= 65_535,
  );
}
