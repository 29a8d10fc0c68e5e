# Draws the icon: three waves on a square with round corners. Writes an ICO with bitmaps of
# 32 bits a pixel. Only +, -, * and / are used, which are the same on every processor. Run with gawk -b, LC_ALL=C.
BEGIN {
  count = split("16 32 48 64", sizes)
  le(0, 2); le(1, 2); le(count, 2)
  at = 6 + 16 * count
  for (i = 1; i <= count; i++) {
    n = sizes[i]
    bytes[i] = 40 + 4 * n * n + mask(n) * n
    le(n, 1); le(n, 1); le(0, 1); le(0, 1); le(1, 2); le(32, 2); le(bytes[i], 4); le(at, 4)
    at += bytes[i]
  }
  for (i = 1; i <= count; i++) bitmap(sizes[i])
}

function le(value, length_,    k) {
  for (k = 0; k < length_; k++) { printf "%c", value % 256; value = int(value / 256) }
}

# Bytes of a line of the mask, which is empty: alpha says what is seen.
function mask(n) { return int((n + 31) / 32) * 4 }

function bitmap(n,    x, y, k) {
  # The height counts the mask too; lines go from the bottom up.
  le(40, 4); le(n, 4); le(2 * n, 4); le(1, 2); le(32, 2); le(0, 4); le(4 * n * n, 4)
  for (k = 0; k < 4; k++) le(0, 4)
  for (y = n - 1; y >= 0; y--) for (x = 0; x < n; x++) pixel(x, y, n)
  for (k = 0; k < mask(n) * n; k++) le(0, 1)
}

# The middle of 4 × 4 points.
function pixel(x, y, n,    i, j, kind, square, water) {
  for (i = 0; i < 4; i++) for (j = 0; j < 4; j++) {
    kind = point((x + (i + 0.5) / 4) / n, (y + (j + 0.5) / 4) / n)
    square += kind > 0
    water += kind > 1
  }
  if (square == 0) { le(0, 4); return }
  le(mix(122, 246, water / square), 1)
  le(mix(78, 240, water / square), 1)
  le(mix(16, 226, water / square), 1)
  le(int(square * 255 / 16), 1)
}

function mix(from, to, share) { return int(from + (to - from) * share + 0.5) }

# 0 outside, 1 the square, 2 water. From 0 to 1, to the right and down.
function point(u, v,    a, b, r, k, middle) {
  r = 0.2
  a = u < r ? r - u : u > 1 - r ? u - 1 + r : 0
  b = v < r ? r - v : v > 1 - r ? v - 1 + r : 0
  if (a * a + b * b > r * r) return 0
  for (k = 0; k < 3; k++) {
    middle = 0.3 + 0.2 * k + wave(u * 2) * 0.05
    if (u > 0.12 && u < 0.88 && v > middle - 0.045 && v < middle + 0.045) return 2
  }
  return 1
}

# A wave of arcs between -1 and 1, of length 1.
function wave(t) {
  t -= int(t)
  return t < 0.5 ? 16 * t * (0.5 - t) : -16 * (t - 0.5) * (1 - t)
}
