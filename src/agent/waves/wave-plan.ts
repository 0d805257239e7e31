import { ConfigError } from "../../base/errors.ts";

/** One wave: so many hosts or so large a share of them, those before it among them, or a label. */
export type WaveSize = { text: string } & (
  | { hosts: number }
  | { percent: number }
  | { label: string }
);

/** The waves in their order; the last one is everybody. */
export type WavePlan = readonly WaveSize[];

const most = 20;

/** `1,10%,50%,100%` or `canary,25%,100%`. @throws {ConfigError} */
export function parseWavePlan(text: string): WavePlan {
  const waves = text.split(",").map((piece) => sizeOf(piece.trim(), text));
  if (waves.length > most) throw noPlan(text, `these are more than ${most} waves`);
  const last = waves.at(-1);
  if (!last || !("percent" in last) || last.percent !== 100) {
    throw noPlan(text, "the last wave has to be 100%");
  }
  refuseShrinking(waves, (wave) => ("hosts" in wave ? wave.hosts : undefined), text);
  refuseShrinking(waves, (wave) => ("percent" in wave ? wave.percent : undefined), text);
  const labels = waves.flatMap((wave) => ("label" in wave ? [wave.label] : []));
  if (new Set(labels).size < labels.length) throw noPlan(text, "a label is there twice");
  return waves;
}

/** Letters first, so that no number is taken for one. */
export const labelForm = /^[A-Za-z][\w.-]{0,63}$/;

function sizeOf(piece: string, plan: string): WaveSize {
  const [, number, percent] = /^(\d{1,6}(?:\.\d{1,3})?)(%?)$/.exec(piece) ?? [];
  if (number === undefined) {
    if (labelForm.test(piece)) return { text: piece, label: piece };
    throw noPlan(plan, `${JSON.stringify(piece)} is no wave`);
  }
  const value = Number(number);
  if (value === 0) throw noPlan(plan, "a wave of 0 hosts would let everybody wait for nobody");
  if (percent) {
    if (value > 100) throw noPlan(plan, `${piece} is more than everybody`);
    return { text: piece, percent: value };
  }
  if (!Number.isInteger(value)) throw noPlan(plan, `${piece} is no number of hosts`);
  return { text: piece, hosts: value };
}

/** Hosts are not compared with shares: how many there are is not known yet. */
function refuseShrinking(
  waves: WavePlan,
  sizeIn: (wave: WaveSize) => number | undefined,
  text: string,
): void {
  let before = 0;
  for (const wave of waves) {
    const size = sizeIn(wave);
    if (size === undefined) continue;
    if (size <= before) throw noPlan(text, `${wave.text} is no more than the wave before it`);
    before = size;
  }
}

function noPlan(text: string, why: string): ConfigError {
  return new ConfigError(`${text}: ${why}`, {
    hint: "write how many hosts have it after each wave, such as 1,10%,50%,100%",
  });
}
