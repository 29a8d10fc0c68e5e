/** Whether nothing may be asked of the network: `WEIR_OFFLINE` is set, to anything but `0` and nothing. */
export function isOffline(environment: Readonly<Record<string, string | undefined>> = process.env): boolean {
  const said = environment.WEIR_OFFLINE ?? '';
  return said !== '' && said !== '0';
}
