# cmake -DIN=weir.lua -DOUT=weir_lua.h -P embed.cmake: a text file as a C string, one literal a line.
file(READ ${IN} text)
string(REPLACE "\\" "\\\\" text "${text}")
string(REPLACE "\"" "\\\"" text "${text}")
string(REPLACE "\n" "\\n\"\n\"" text "${text}")
file(WRITE ${OUT} "/* Made from weir.lua when built. */\nstatic const char WEIR_LUA[] = \"${text}\";\n")
