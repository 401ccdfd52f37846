// Emoji shortcodes to characters: those that apps and people commonly use at work.
const CODES = `
rotating_light:🚨 eyes:👀 white_check_mark:✅ heavy_check_mark:✔️ ballot_box_with_check:☑️ x:❌ warning:⚠️
hourglass:⌛ hourglass_flowing_sand:⏳ stopwatch:⏱️ alarm_clock:⏰ timer_clock:⏲️ clock1:🕐 clock3:🕒 clock9:🕘
red_circle:🔴 large_orange_circle:🟠 orange_circle:🟠 large_yellow_circle:🟡 yellow_circle:🟡
large_green_circle:🟢 green_circle:🟢 large_blue_circle:🔵 blue_circle:🔵 large_purple_circle:🟣 purple_circle:🟣
black_circle:⚫ white_circle:⚪ large_red_square:🟥 large_orange_square:🟧 large_yellow_square:🟨
white_large_square:⬜ speech_balloon:💬 wastebasket:🗑️ electric_plug:🔌 twisted_rightwards_arrows:🔀
large_green_square:🟩 large_blue_square:🟦 fire:🔥 boom:💥 zap:⚡ bell:🔔 no_bell:🔕 siren:🚨 sos:🆘
octagonal_sign:🛑 no_entry:⛔ no_entry_sign:🚫 construction:🚧 exclamation:❗ grey_exclamation:❕
bangbang:‼️ question:❓ grey_question:❔ information_source:ℹ️ bulb:💡 pushpin:📌 round_pushpin:📍
paperclip:📎 link:🔗 lock:🔒 unlock:🔓 key:🔑 shield:🛡️ mag:🔍 mag_right:🔎 memo:📝 pencil:📝 pencil2:✏️
page_facing_up:📄 scroll:📜 ledger:📒 notebook:📓 book:📖 books:📚 clipboard:📋 card_index:📇 file_folder:📁
open_file_folder:📂 calendar:📅 date:📅 spiral_calendar_pad:🗓️ chart_with_upwards_trend:📈
chart_with_downwards_trend:📉 bar_chart:📊 email:📧 envelope:✉️ incoming_envelope:📨 inbox_tray:📥
outbox_tray:📤 package:📦 mailbox:📫 phone:☎️ telephone_receiver:📞 pager:📟 iphone:📱 computer:💻
desktop_computer:🖥️ floppy_disk:💾 gear:⚙️ wrench:🔧 hammer:🔨 hammer_and_wrench:🛠️ nut_and_bolt:🔩
toolbox:🧰 test_tube:🧪 robot_face:🤖 ghost:👻 bug:🐛 money_with_wings:💸 moneybag:💰 credit_card:💳
receipt:🧾 repeat:🔁 arrows_counterclockwise:🔄 arrows_clockwise:🔃 leftwards_arrow_with_hook:↩️
arrow_right_hook:↪️ arrow_right:➡️ arrow_left:⬅️ arrow_up:⬆️ arrow_down:⬇️ arrow_upper_right:↗️
arrow_forward:▶️ fast_forward:⏩ rewind:⏪ double_vertical_bar:⏸️ pause_button:⏸️ black_square_for_stop:⏹️
heavy_plus_sign:➕ heavy_minus_sign:➖ recycle:♻️ steam_locomotive:🚂 railway_track:🛤️ vertical_traffic_light:🚦
traffic_light:🚥 busstop:🚏 rocket:🚀 checkered_flag:🏁 triangular_flag_on_post:🚩 flag-de:🇩🇪 tada:🎉
sparkles:✨ star:⭐ star2:🌟 trophy:🏆 medal:🏅 first_place_medal:🥇 dart:🎯 100:💯 +1:👍 thumbsup:👍 -1:👎
thumbsdown:👎 ok_hand:👌 wave:👋 clap:👏 raised_hands:🙌 raised_hand:✋ pray:🙏 muscle:💪 point_right:👉
point_left:👈 point_up:☝️ point_down:👇 handshake:🤝 writing_hand:✍️ heart:❤️ green_heart:💚 blue_heart:💙
broken_heart:💔 smile:😄 grinning:😀 smiley:😃 slightly_smiling_face:🙂 wink:😉 joy:😂 sweat_smile:😅
thinking_face:🤔 neutral_face:😐 confused:😕 cry:😢 sob:😭 scream:😱 rage:😡 sleeping:😴 zzz:💤 zipper_mouth_face:🤐
bust_in_silhouette:👤 busts_in_silhouette:👥 technologist:🧑‍💻 sleuth_or_spy:🕵️ ambulance:🚑 fire_engine:🚒
house:🏠 office:🏢 globe_with_meridians:🌐 earth_africa:🌍 sunny:☀️ cloud:☁️ umbrella:☔ snowflake:❄️
crescent_moon:🌙 coffee:☕ beer:🍺 cake:🍰 pizza:🍕 new:🆕 up:🆙 ok:🆗 one:1️⃣ two:2️⃣ three:3️⃣ four:4️⃣ five:5️⃣
`;

const pair = (entry) => [entry.slice(0, entry.lastIndexOf(":")), entry.slice(entry.lastIndexOf(":") + 1)];
export const EMOJI = new Map(CODES.trim().split(/\s+/).map(pair));

const SHORTCODE = /(?<![\p{L}\p{N}:]):([a-z0-9_+'-]+)(?:::skin-tone-\d)?:/gu;

/** The character of a shortcode without colons, or the shortcode itself when it is not known. */
export const emojiOf = (name) => EMOJI.get(name.replace(/::skin-tone-\d$/, "")) ?? `:${name}:`;

/** The text with every known shortcode replaced; unknown ones are left as they are. */
export const withEmoji = (text) => text.replace(SHORTCODE, (all, name) => EMOJI.get(name) ?? all);
