import { createHash } from "node:crypto";

type Rgb = readonly [red: number, green: number, blue: number];

const rotatedDegrees = 35;

/** The colour of a host's notices, so that hosts are told apart at a glance; the same as the original's. */
export function colorOf(host: string): string {
  const [red = 0, green = 0, blue = 0] = createHash("md5").update(host).digest();
  return colorCode([red, green, blue]);
}

/** Red is left to failures: what comes near it is turned towards orange. */
export function colorCode(color: Rgb): string {
  const shown = isRed(color) ? rotated(color) : color;
  return `#${Buffer.from(shown).toString("hex").toUpperCase()}`;
}

const isRed = ([red, green, blue]: Rgb): boolean => red >= 0xcc && green <= 0x33 && blue <= 0x33;

/** By way of hue, saturation and lightness; `color` is red, so its hue is that of the red sector. */
function rotated(color: Rgb): Rgb {
  const [red, green, blue] = color.map((part) => part / 255) as [number, number, number];
  const [least, spread] = [Math.min(green, blue), red - Math.min(green, blue)];
  const lightness = (red + least) / 2;
  const saturation = spread / (1 - Math.abs(2 * lightness - 1));
  const hue = (60 * (green - blue)) / spread + rotatedDegrees;
  return rgbOf((hue + 360) % 360, saturation, lightness);
}

/** https://www.w3.org/TR/css-color-4/#hsl-to-rgb */
function rgbOf(hue: number, saturation: number, lightness: number): Rgb {
  const reach = saturation * Math.min(lightness, 1 - lightness);
  const part = (offset: number): number => {
    const place = (offset + hue / 30) % 12;
    return Math.round(255 * (lightness - reach * Math.max(-1, Math.min(place - 3, 9 - place, 1))));
  };
  return [part(0), part(8), part(4)];
}
