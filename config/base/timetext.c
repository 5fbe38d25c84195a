/*
 * Time text, see timetext.h.
 *
 * The usual record spells YYYY-MM-DDTHH:MM:SS.mmmZ. All its bytes are checked at once (digits where digits belong,
 * separators where they belong), folded to two-digit numbers by one shuffle and one multiply, and those checked against
 * their ranges at once. Days come from a formula that is right for the centuries in range. A table of days per year was
 * rejected: a cache line or two per call for no gain.
 */
#include "config/base/timetext.h"

#include <string.h>

#ifdef __AVX2__
#include <immintrin.h>
#endif

static const uint8_t MONTH_DAYS[16] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
static const uint16_t MARCH_DAYS[16] = {0, 306, 337, 0, 31, 61, 92, 122, 153, 184, 214, 245, 275}; /* since 1 March */
static const uint32_t POWERS[7] = {1, 10, 100, 1000, 10000, 100000, 1000000};

#define DAY_US INT64_C(86400000000)

struct head {
	uint32_t year;
	uint32_t month;
	uint32_t day;
	uint32_t hour;
	uint32_t minute;
};

/*
 * Days from 1970-01-01 to a valid date of 1969..2262. Years begin in March here, so that the leap day is the last; of the
 * centuries in range 2000 alone has one.
 */
static inline int64_t
days_of(uint32_t year, uint32_t month, uint32_t day)
{
	uint32_t march_year = year - (month < 3);
	uint32_t days = (march_year * 1461 >> 2) - (march_year >= 2100) - (march_year >= 2200);
	return (int64_t)(days + MARCH_DAYS[month] + day) - 719484;
}

#ifdef __AVX2__
/*
 * The usual 24 characters at once: bytes 0..15 in one half of a register, 8..23 in the other. False when it is not such a
 * time, also for the few that need a longer look (29 February, the borders of the range); the general way then judges.
 */
static inline bool
usual_parse(const uint8_t *text, int64_t *us_out)
{
	__m256i bytes = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)text)),
	    _mm_loadu_si128((const __m128i *)(text + 8)), 1);
	const __m256i low = _mm256_setr_epi8('0', '0', '0', '0', '-', '0', '0', '-', '0', '0', 'T', '0', '0', ':', '0', '0',
	    '0', '0', 'T', '0', '0', ':', '0', '0', ':', '0', '0', '.', '0', '0', '0', 'Z');
	const __m256i span = _mm256_setr_epi8(
	    9, 9, 9, 9, 0, 9, 9, 0, 9, 9, 0, 9, 9, 0, 9, 9, 9, 9, 0, 9, 9, 0, 9, 9, 0, 9, 9, 0, 9, 9, 9, 0);
	__m256i digits = _mm256_sub_epi8(bytes, low);
	__m256i inside = _mm256_cmpeq_epi8(_mm256_max_epu8(digits, span), span);
	/* Year, month and day, hour and minute | second and millisecond, as two-digit numbers of 16 bits. */
	const __m256i pick = _mm256_setr_epi8(0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, -1, -1, -1, -1, 9, 10, -1, 12, 13, 14,
	    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
	__m256i pairs = _mm256_maddubs_epi16(_mm256_shuffle_epi8(digits, pick), _mm256_set1_epi16(1 << 8 | 10));
	const __m256i least = _mm256_setr_epi16(19, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	const __m256i most = _mm256_setr_epi16(22, 99, 12, 31, 23, 59, 0, 0, 59, 9, 99, 0, 0, 0, 0, 0);
	__m256i outside = _mm256_or_si256(_mm256_cmpgt_epi16(least, pairs), _mm256_cmpgt_epi16(pairs, most));
	if (_mm256_movemask_epi8(_mm256_andnot_si256(outside, inside)) != -1)
		return false;
	const __m256i weights = _mm256_setr_epi16(100, 1, 32, 1, 3600, 60, 0, 0, 1000, 100, 1, 0, 0, 0, 0, 0);
	__m256i sums = _mm256_madd_epi16(pairs, weights);
	uint64_t year_day = (uint64_t)_mm256_extract_epi64(sums, 0);
	uint64_t milli = (uint64_t)_mm256_extract_epi64(sums, 2);
	uint32_t year = (uint32_t)year_day, month = (uint32_t)(year_day >> 37), day = (uint32_t)(year_day >> 32) & 31;
	if (year - 1970 > 291 || day > MONTH_DAYS[month])
		return false;
	int64_t ms = (int64_t)(uint32_t)_mm256_extract_epi32(sums, 2) * 1000 + (uint32_t)milli + (uint32_t)(milli >> 32);
	*us_out = days_of(year, month, day) * DAY_US + ms * 1000;
	return true;
}

/* "2026-03-30T05:08": false unless digits and separators stand where they belong. */
static inline bool
head_parse(const uint8_t *text, struct head *head_out)
{
	__m128i bytes = _mm_loadu_si128((const __m128i *)text);
	const __m128i low = _mm_setr_epi8('0', '0', '0', '0', '-', '0', '0', '-', '0', '0', ' ', '0', '0', ':', '0', '0');
	/* How far a byte may lie above `low`: 9 for digits, 0 for separators; the date's end is checked apart. */
	const __m128i span = _mm_setr_epi8(9, 9, 9, 9, 0, 9, 9, 0, 9, 9, 'T' - ' ', 9, 9, 0, 9, 9);
	__m128i digits = _mm_sub_epi8(bytes, low);
	__m128i inside = _mm_cmpeq_epi8(_mm_max_epu8(digits, span), span);
	bool valid = _mm_movemask_epi8(inside) == 0xffff && (text[10] == 'T' || text[10] == ' ');
	const __m128i pick = _mm_setr_epi8(0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, -1, -1, -1, -1);
	__m128i pairs = _mm_maddubs_epi16(_mm_shuffle_epi8(digits, pick), _mm_set1_epi16(1 << 8 | 10));
	uint64_t first = (uint64_t)_mm_cvtsi128_si64(pairs);
	uint32_t second = (uint32_t)_mm_extract_epi32(pairs, 2);
	head_out->year = (uint32_t)(first & 0xffff) * 100 + (uint32_t)(first >> 16 & 0xffff);
	head_out->month = (uint32_t)(first >> 32 & 0xffff);
	head_out->day = (uint32_t)(first >> 48);
	head_out->hour = second & 0xffff;
	head_out->minute = second >> 16;
	return valid;
}
#else
static bool
head_parse(const uint8_t *text, struct head *head_out)
{
	static const char SHAPE[] = "0000-00-00 00:00";
	uint32_t number[16] = {0};
	for (int i = 0; i < 16; i++) {
		bool digit = text[i] >= '0' && text[i] <= '9';
		if (SHAPE[i] == '0' ? !digit : text[i] != SHAPE[i] && !(i == 10 && text[i] == 'T'))
			return false;
		number[i] = (uint32_t)(text[i] - '0');
	}
	head_out->year = number[0] * 1000 + number[1] * 100 + number[2] * 10 + number[3];
	head_out->month = number[5] * 10 + number[6];
	head_out->day = number[8] * 10 + number[9];
	head_out->hour = number[11] * 10 + number[12];
	head_out->minute = number[14] * 10 + number[15];
	return true;
}
#endif

static inline bool
pair_parse(const uint8_t *text, uint32_t *number_out)
{
	uint32_t tens = (uint32_t)text[0] - '0';
	uint32_t ones = (uint32_t)text[1] - '0';
	*number_out = tens * 10 + ones;
	return tens <= 9 && ones <= 9;
}

static inline bool
is_leap(uint32_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* "+HH:MM" or "+HHMM" of exactly len bytes -> microseconds to subtract. */
static bool
offset_parse(const uint8_t *text, size_t len, int64_t *us_out)
{
	uint32_t hour, minute;
	if (!(len == 6 && text[3] == ':') && len != 5)
		return false;
	if ((text[0] != '+' && text[0] != '-') || !pair_parse(text + 1, &hour) || !pair_parse(text + len - 2, &minute))
		return false;
	if (hour > 23 || minute > 59)
		return false;
	int64_t us = ((int64_t)hour * 60 + minute) * 60000000;
	*us_out = text[0] == '-' ? -us : us;
	return true;
}

/* ".894229" and the zone behind it: any legal number of digits. */
static bool
tail_parse(const uint8_t *text, size_t len, int64_t *fraction_us_out, int64_t *offset_us_out)
{
	size_t at = 0;
	uint32_t fraction = 0;
	uint32_t digits = 0;
	if (len > 0 && text[0] == '.') {
		for (at = 1; at < len && text[at] >= '0' && text[at] <= '9'; at++, digits++)
			if (digits < 6)
				fraction = fraction * 10 + (uint32_t)(text[at] - '0');
		if (digits == 0 || digits > 9)
			return false;
		fraction *= POWERS[digits < 6 ? 6 - digits : 0];
	}
	*fraction_us_out = fraction;
	*offset_us_out = 0;
	if (len - at == 1 && text[at] == 'Z')
		return true;
	return offset_parse(text + at, len - at, offset_us_out);
}

bool
weir_time_parse(const uint8_t *text, size_t len, int64_t *us_out)
{
	struct head head;
	uint32_t second;
	int64_t fraction_us = 0;
	int64_t offset_us = 0;
#ifdef __AVX2__
	if (len == 24 && usual_parse(text, us_out))
		return true;
#endif
	if (len < 20 || !head_parse(text, &head) || text[16] != ':' || !pair_parse(text + 17, &second))
		return false;
	if (!(len == 20 && text[19] == 'Z') && !tail_parse(text + 19, len - 19, &fraction_us, &offset_us))
		return false;
	if (head.year < 1969 || head.year > 2262 || head.month - 1 > 11 || head.day == 0)
		return false;
	if (head.day > MONTH_DAYS[head.month] && !(head.month == 2 && head.day == 29 && is_leap(head.year)))
		return false;
	if (head.hour > 23 || head.minute > 59 || second > 59)
		return false;
	int64_t day_s = (int64_t)(head.hour * 3600 + head.minute * 60 + second);
	int64_t us = days_of(head.year, head.month, head.day) * DAY_US + day_s * 1000000 + fraction_us - offset_us;
	if (us < 0 || us >= WEIR_TIME_LIMIT_US)
		return false;
	*us_out = us;
	return true;
}

static void
digits_write(char *out, uint32_t number, int count)
{
	for (int i = count - 1; i >= 0; i--, number /= 10)
		out[i] = (char)('0' + number % 10);
}

/* Writes up to the seconds: 19 characters. us is in range. */
static void
head_write(int64_t us, char *out)
{
	int64_t days = us / DAY_US;
	uint32_t second = (uint32_t)(us % DAY_US / 1000000);
	uint32_t year = 1970 + (uint32_t)(days / 366); /* at most a year too early; then step */
	while (days_of(year + 1, 1, 1) <= days)
		year++;
	uint32_t day_of_year = (uint32_t)(days - days_of(year, 1, 1));
	uint32_t month = 12;
	while (days_of(year, month, 1) > days)
		month--;
	uint32_t day = day_of_year - (uint32_t)(days_of(year, month, 1) - days_of(year, 1, 1)) + 1;
	memcpy(out, "0000-00-00T00:00:00", 19);
	digits_write(out, year, 4);
	digits_write(out + 5, month, 2);
	digits_write(out + 8, day, 2);
	digits_write(out + 11, second / 3600, 2);
	digits_write(out + 14, second / 60 % 60, 2);
	digits_write(out + 17, second % 60, 2);
}

static size_t
time_write(int64_t us, char out[WEIR_TIME_TEXT_MAX], int digits)
{
	if (us < 0)
		us = 0;
	if (us >= WEIR_TIME_LIMIT_US)
		us = WEIR_TIME_LIMIT_US - 1;
	head_write(us, out);
	out[19] = '.';
	digits_write(out + 20, (uint32_t)(us % 1000000) / POWERS[6 - digits], digits);
	out[20 + digits] = 'Z';
	out[21 + digits] = '\0';
	return (size_t)(21 + digits);
}

size_t
weir_time_format_ms(int64_t us, char out[WEIR_TIME_TEXT_MAX])
{
	return time_write(us, out, 3);
}

size_t
weir_time_format_us(int64_t us, char out[WEIR_TIME_TEXT_MAX])
{
	return time_write(us, out, 6);
}
