import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a mirror does to a file: the bytes with one flipped, or a connection that ends half-way. */
export type Harm = 'flip' | 'cut';

export interface Mirror {
  readonly url: string;
  /** Paths that were harmed so far. */
  readonly harmed: readonly string[];
  close(): void;
}

/** A Debian mirror on loopback that passes everything on from a real one, but for what `harm` names. */
export async function harmfulMirror(upstream: string, harm: (path: string) => Harm | undefined): Promise<Mirror> {
  const harmed: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    const answer = async (): Promise<void> => {
      const headers: Record<string, string> = { 'accept-encoding': 'identity' };
      const since = request.headers['if-modified-since'];
      if (since !== undefined) headers['if-modified-since'] = since;
      const real = await fetch(upstream + path.slice('/debian'.length), { headers });
      const bytes = Buffer.from(await real.arrayBuffer());
      const how = real.status === 200 ? harm(path) : undefined;
      if (how !== undefined) harmed.push(path);
      if (how === 'flip') bytes[bytes.length >> 1]! ^= 1;
      const kept: Record<string, string | number> = { 'content-length': bytes.length };
      const modified = real.headers.get('last-modified');
      if (modified !== null) kept['last-modified'] = modified;
      response.writeHead(real.status, kept);
      if (how !== 'cut') return void response.end(bytes);
      response.write(bytes.subarray(0, bytes.length >> 1), () => response.destroy());
    };
    answer().catch(() => response.destroy());
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/debian`,
    harmed,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
