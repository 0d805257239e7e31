import { ConfigError } from "../../base/errors.ts";
import type { TraceContext } from "./trace-context.ts";

/** Whether a span is recorded; `parent` is undefined for the first one of a trace. */
export type Sampler = (traceId: string, parent: TraceContext | undefined) => boolean;

const always: Sampler = () => true;
const never: Sampler = () => false;

/** Of those that began elsewhere, what was decided there holds. */
const parentBased =
  (root: Sampler): Sampler =>
  (traceId, parent) =>
    parent?.isSampled ?? root(traceId, parent);

/** By the last 56 bits, which are random, so that all programs with one ratio choose the same traces. */
const byRatio =
  (ratio: number): Sampler =>
  (traceId) =>
    Number.parseInt(traceId.slice(-14), 16) / 2 ** 56 >= 1 - ratio;

/** `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`. @throws {ConfigError} naming the variable */
export function samplerFor(name: string, argument: string): Sampler {
  switch (name || "parentbased_always_on") {
    case "always_on":
      return always;
    case "always_off":
      return never;
    case "traceidratio":
      return byRatio(ratioIn(argument));
    case "parentbased_always_on":
      return parentBased(always);
    case "parentbased_always_off":
      return parentBased(never);
    case "parentbased_traceidratio":
      return parentBased(byRatio(ratioIn(argument)));
    default:
      throw new ConfigError(`OTEL_TRACES_SAMPLER names no sampler that is known: ${name}`, {
        hint: "write always_on, always_off or traceidratio, or one of these with parentbased_ before it",
      });
  }
}

function ratioIn(text: string): number {
  const ratio = Number(text || "1");
  if (ratio >= 0 && ratio <= 1) return ratio;
  throw new ConfigError(`OTEL_TRACES_SAMPLER_ARG is no ratio: ${text}`, {
    hint: "write a number from 0 to 1, such as 0.1",
  });
}
