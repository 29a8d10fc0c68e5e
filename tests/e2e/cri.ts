import { createHash } from 'node:crypto';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A protobuf message as its fields: number, and a string, a message or a whole number. */
export type Message = readonly (readonly [number, string | number | Message])[];

/** The wire format of protobuf, those parts of it that are needed here. */
export function encode(message: Message): Buffer {
  return Buffer.concat(
    message.map(([field, value]) => {
      if (typeof value === 'number') return Buffer.concat([varint(field << 3), varint(value)]);
      const bytes = typeof value === 'string' ? Buffer.from(value) : encode(value);
      return Buffer.concat([varint((field << 3) | 2), varint(bytes.length), bytes]);
    }),
  );
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (; value > 0x7f; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return Buffer.from([...bytes, value]);
}

/** Stands in a message for an identifier that an earlier answer had, as long as it is. */
export const id = (name: string): string => `@${name}@`.padEnd(64, '_');

/**
 * A line of shell that calls containerd as the kubelet does, by gRPC. Identifiers are variables of the shell; what the answer
 * has as identifier is `$id` afterwards. A call that fails ends the script.
 */
export function call(method: string, message: Message): string {
  const body = encode(message);
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(body.length, 1);
  const parts = Buffer.concat([frame, body])
    .toString('latin1')
    .split(/(@[a-z]+@_+)/);
  const prints = parts.map((part) => {
    const [, variable] = /^@([a-z]+)@/.exec(part) ?? [];
    if (variable !== undefined) return `printf %s "$${variable}"`;
    return `printf '${[...part].map((char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`).join('')}'`;
  });
  return `{ ${prints.join('; ')}; } >/tmp/request; cri ${method}`;
}

/** What `call` needs before it. */
export const criFunctions = `cri() {
  curl -sS --http2-prior-knowledge --unix-socket /run/containerd/containerd.sock -D /tmp/headers -o /tmp/answer \\
    -H 'content-type: application/grpc' -H 'te: trailers' --data-binary @/tmp/request \\
    "http://localhost/runtime.v1.RuntimeService/$1" || exit 1
  grep -qi '^grpc-status: 0' /tmp/headers || { echo "$1:"; cat /tmp/headers; exit 1; }
}
answered() { grep -aoE '[0-9a-f]{64}' /tmp/answer | head -n 1; }`;

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/**
 * A copy of an OCI layout in which its image has a name for containerd, and once more another command: what stands for the
 * image that every pod starts with, for there is no registry here.
 */
export async function layoutForNode(
  layout: string,
  to: string,
  names: { readonly image: string; readonly pause: string },
): Promise<void> {
  await cp(layout, to, { recursive: true });
  const blob = (digest: string) => join(to, 'blobs', ...digest.split(':'));
  const readJson = async (path: string) => JSON.parse(await readFile(path, 'utf8'));
  const write = async (value: unknown, like: Descriptor): Promise<Descriptor> => {
    const bytes = Buffer.from(JSON.stringify(value));
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    await writeFile(blob(digest), bytes);
    return { ...like, digest, size: bytes.length };
  };
  const index = (await readJson(join(to, 'index.json'))) as { manifests: [Descriptor] };
  const [image] = index.manifests;
  const manifest = (await readJson(blob(image.digest))) as { config: Descriptor };
  const config = await readJson(blob(manifest.config.digest));
  const waits = { ...config, config: { ...config.config, Entrypoint: ['/usr/bin/sleep'], Cmd: ['infinity'] } };
  const pause = await write({ ...manifest, config: await write(waits, manifest.config) }, image);
  const named = (descriptor: Descriptor, name: string) => ({
    ...descriptor,
    annotations: { 'io.containerd.image.name': name },
  });
  const manifests = [named(image, names.image), named(pause, names.pause)];
  await writeFile(join(to, 'index.json'), JSON.stringify({ ...index, manifests }));
}
