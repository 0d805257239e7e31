import { ConfigError } from "../../base/errors.ts";

const highestPort = 65_535;
const maximumRangeLength = 101;

/**
 * The ports that `--port` values name, each once and in order. A value is `N`, `A-B` (both included,
 * at most 101 ports), or several of these with commas between.
 *
 * @throws {ConfigError} with a sentence about the piece that is none of these, or when there is none
 */
export function parsePorts(values: readonly string[]): number[] {
  const ports = values
    .flatMap((value) => value.split(","))
    .map((piece) => piece.trim())
    .filter((piece) => piece !== "")
    .flatMap(parsePiece);
  if (values.length > 0 && ports.length === 0) {
    throw new ConfigError("there is no port in it", {
      hint: "write a port such as 8080, or leave it out for a worker",
    });
  }
  return [...new Set(ports)].sort((a, b) => a - b);
}

function parsePiece(piece: string): number[] {
  if (/^\d+$/.test(piece)) return [parsePort(piece, piece)];
  const [, first, last] = /^(\d+)\s*-\s*(\d+)$/.exec(piece) ?? [];
  if (first === undefined || last === undefined) {
    throw new ConfigError(`not a port: "${piece}"`, {
      hint: "write a port such as 8080, or a range such as 8080-8082",
    });
  }
  return rangeOf(parsePort(first, piece), parsePort(last, piece), piece);
}

function parsePort(digits: string, piece: string): number {
  const port = Number(digits);
  if (port >= 1 && port <= highestPort) return port;
  throw new ConfigError(`no such port: ${digits} in "${piece}"`, {
    hint: `ports go from 1 to ${highestPort}`,
  });
}

function rangeOf(first: number, last: number, piece: string): number[] {
  if (first > last) {
    throw new ConfigError(`the range "${piece}" runs backwards`, {
      hint: `write it as ${last}-${first}`,
    });
  }
  const length = last - first + 1;
  if (length > maximumRangeLength) {
    throw new ConfigError(`the range "${piece}" names ${length} ports`, {
      hint: `a range may name up to ${maximumRangeLength}`,
    });
  }
  return Array.from({ length }, (_, index) => first + index);
}
